"""The routes of maintenance on a running server; each test has a user of its own."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

SUGGESTIONS = "/api/v1/learning/maintenance-suggestions"
APPLY = "/api/v1/learning/maintenance/apply"
UNDO = "/api/v1/learning/maintenance/undo"
ACTIONS = "/api/v1/learning/maintenance/actions"


@pytest.fixture
def http(server) -> Iterator[httpx2.Client]:
    headers = {"X-Service-Token": server.service_key, "X-User-ID": f"user-{uuid4()}"}
    with httpx2.Client(base_url=server.url, headers=headers, timeout=30) as client:
        yield client


def remember(http, text, **fields) -> str:
    answer = http.post("/api/v1/memories", json={"text": text, **fields})
    assert answer.status_code == 201
    return answer.json()["id"]


def listed(http) -> set[str]:
    return {one["id"] for one in http.get("/api/v1/memories").json()["memories"]}


def age(server, http, memory_id, days, helpfulness=None) -> dict[str, str]:
    """Make a memory older in the database; give the header by which a reader sees it."""

    async def run() -> int:
        connection = await asyncpg.connect(server.database_url, timeout=10, command_timeout=10)
        try:
            created = "update memories set created_at = created_at - $2::interval where id = $1"
            await connection.execute(created, memory_id, timedelta(days=days))
            if helpfulness is not None:
                await connection.execute(
                    "insert into memory_usage (organisation_id, user_id, memory_id, helpfulness) "
                    "select organisation_id, user_id, id, $2 from memories where id = $1",
                    memory_id,
                    helpfulness,
                )
            return await connection.fetchval(
                "update users set memory_version = memory_version + 1, complete_from = memory_version + 1 "
                "where user_id = $1 returning memory_version",
                http.headers["X-User-ID"],
            )
        finally:
            await connection.close()

    return {"X-Memory-Version": str(asyncio.run(run()))}


def test_a_user_without_memories_has_nothing_to_mend(http):
    answer = http.get(SUGGESTIONS)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "duplicates": [],
            "outdated": [],
            "archive_candidates": [],
            "broken_relationships": 0,
            "summary": {
                "total_duplicates": 0,
                "total_outdated": 0,
                "total_archive_candidates": 0,
                "total_broken_relationships": 0,
            },
            "suggestions": [],
        },
    )


def test_duplicates_are_told_from_what_only_looks_alike(http):
    kept = remember(http, "Please ship order 17 to Ada before Friday")
    removed = remember(http, "please ship order 17 to Ada before Friday!")
    other = remember(http, "Please ship order 18 to Ada before Friday")
    found = http.get(SUGGESTIONS).json()
    assert found["summary"]["total_duplicates"] == len(found["duplicates"]) == 3
    merge, *reviews = found["duplicates"]
    assert merge == {
        "id": f"merge:{kept}:{removed}",
        "memory_ids": [kept, removed],
        "similarity": pytest.approx(1.0, abs=1e-3),
        "suggestion": "merge",
        "texts": ["Please ship order 17 to Ada before Friday", "please ship order 17 to Ada before Friday!"],
    }
    assert {(one["suggestion"], other in one["memory_ids"]) for one in reviews} == {("review", True)}
    suggestion = found["suggestions"][0]
    assert (suggestion["memory_id"], suggestion["related_memory_ids"]) == (kept, [removed])
    assert (suggestion["suggestion_type"], suggestion["score"]) == ("merge", merge["similarity"])
    assert suggestion["reason"]


def test_stale_memories_are_outdated_after_ninety_days_and_archivable_after_half_a_year(server, http):
    fresh, disliked, old = (remember(http, text) for text in ("Bees sleep", "Rex barks loudly", "The roof is new"))
    age(server, http, fresh, 89, helpfulness=0.1)
    age(server, http, disliked, 91, helpfulness=0.3)
    found = http.get(SUGGESTIONS, headers=age(server, http, old, 181)).json()
    (outdated,) = found["outdated"]
    assert outdated == {
        "id": disliked,
        "text": "Rex barks loudly",
        "helpfulness_score": 0.3,
        "days_since_access": pytest.approx(91, abs=0.05),
        "suggestion": "update_or_remove",
    }
    (archivable,) = found["archive_candidates"]
    assert archivable == {
        "id": old,
        "text": "The roof is new",
        "days_since_access": pytest.approx(181, abs=0.05),
        "usage_count": 0,
        "suggestion": "archive",
    }
    assert (found["summary"]["total_outdated"], found["summary"]["total_archive_candidates"]) == (1, 1)
    assert [(one["suggestion_type"], one["memory_id"], one["id"]) for one in found["suggestions"]] == [
        ("update_or_remove", disliked, f"archive:{disliked}"),
        ("archive", old, f"archive:{old}"),
    ]


def test_only_relationships_that_cannot_hold_are_broken(http):
    first = remember(http, "Bees sleep", session_id="one")
    later = remember(http, "Rex barks loudly", session_id="one")
    elsewhere = remember(http, "The roof is new", session_id="two")
    body = {"relationship_type": "follows", "strength": 0.5}
    good, backwards, across = (
        http.post("/api/v1/relationships", json={**body, "memory_id": one, "related_memory_id": other}).json()["id"]
        for one, other in ((later, first), (first, later), (elsewhere, later))
    )
    found = http.get(SUGGESTIONS).json()
    assert (found["broken_relationships"], found["summary"]["total_broken_relationships"]) == (2, 2)
    broken = {one["relationship_id"]: one["suggestion_type"] for one in found["suggestions"]}
    assert broken == {backwards: "remove_link", across: "remove_link"}
    http.post(APPLY, json={"suggestion_ids": [one["id"] for one in found["suggestions"]]}).raise_for_status()
    assert http.get(SUGGESTIONS).json()["broken_relationships"] == 0
    links = http.get(f"/api/v1/relationships/memory/{later}").json()["relationships"]
    assert good in {one["id"] for one in links}


def test_each_action_is_listed_with_its_term_and_undone_by_its_id(http):
    kept, removed, archived = (remember(http, text) for text in ("Ada likes tea", "Ada likes the tea", "Rex barks"))
    steps = [
        {"action": "merge", "keep": kept, "remove": removed},
        {"action": "archive", "memory_id": archived},
    ]
    done = http.post(APPLY, json={"actions": steps})
    assert done.status_code == 200
    merge, archive = done.json()["actions"]
    assert (merge["action"], merge["memory_id"], merge["kept_memory_id"]) == ("merge", removed, kept)
    assert (archive["action"], archive["memory_id"], archive["kept_memory_id"]) == ("archive", archived, None)
    until, at = (datetime.fromisoformat(merge[name]) for name in ("reversible_until", "at"))
    assert until - at == timedelta(days=30)
    assert listed(http) == {kept}
    assert http.get(f"/api/v1/memories/{archived}").status_code == 404
    undone = http.post(UNDO, json={"action_id": merge["id"]}).json()["actions"][0]
    assert undone["undone_at"] is not None
    restore = {"actions": [{"action": "restore", "memory_id": archived}]}
    assert http.post(APPLY, json=restore).json()["actions"][0]["id"] == archive["id"]
    assert listed(http) == {kept, removed, archived}
    actions = http.get(ACTIONS).json()
    assert actions["count"] == 2
    assert {one["id"]: one["undone_at"] is None for one in actions["actions"]} == {
        merge["id"]: False,
        archive["id"]: False,
    }


def test_a_repeated_apply_is_answered_alike(http):
    memory_id = remember(http, "Rex barks")
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"actions": [{"action": "archive", "memory_id": memory_id}]}
    first, again = (http.post(APPLY, json=body, headers=headers) for _ in range(2))
    assert (again.status_code, again.json()) == (200, first.json())
    assert http.post(APPLY, json=body).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (APPLY, {}, "actions"),
        (APPLY, {"actions": "all"}, "actions"),
        (APPLY, {"actions": [{"action": "burn"}]}, "actions[0].action"),
        (APPLY, {"actions": [{"action": "archive"}]}, "actions[0].memory_id"),
        (APPLY, {"actions": [{"action": "archive", "memory_id": "tea"}]}, "actions[0].memory_id"),
        (APPLY, {"actions": [{"action": "restore"}]}, "actions[0].action_id"),
        (APPLY, {"suggestion_ids": ["tea"]}, "suggestion_ids"),
        (APPLY, {"suggestion_ids": [f"archive:{uuid4()}"] * 101}, "suggestion_ids"),
        (UNDO, {}, "action_id"),
        (UNDO, {"action_id": 7}, "action_id"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(http, path, body, field):
    answer = http.post(path, json=body)
    assert (answer.status_code, answer.json()["details"]["field"]) == (400, field)


def test_merging_a_memory_into_itself_is_refused(http):
    memory_id = remember(http, "Rex barks")
    answer = http.post(APPLY, json={"actions": [{"action": "merge", "keep": memory_id, "remove": memory_id}]})
    assert (answer.status_code, answer.json()["details"]["field"]) == (400, "remove")


@pytest.mark.parametrize(
    "step",
    [
        {"action": "archive", "memory_id": str(uuid4())},
        {"action": "remove_link", "relationship_id": str(uuid4())},
        {"action": "merge", "keep": str(uuid4()), "remove": str(uuid4())},
        {"action": "restore", "action_id": str(uuid4())},
    ],
)
def test_what_does_not_exist_is_not_found(http, step):
    assert http.post(APPLY, json={"actions": [step]}).status_code == 404


def test_applying_needs_a_key_that_may_teach(server):
    async def make_key() -> str:
        database = await Database.open(server.database_url, connections=1, timeout_seconds=10)
        keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
        made = await keys.create(
            user_id="reader",
            plan=Plan.ENTERPRISE,
            permissions=[Permission.READ, Permission.WRITE],
            organisation_id=DEFAULT_ORGANISATION,
        )
        await database.close()
        return made[1]

    with httpx2.Client(base_url=server.url, headers={"X-API-Key": asyncio.run(make_key())}, timeout=30) as http:
        assert http.get(SUGGESTIONS).status_code == 200
        assert http.post(APPLY, json={"actions": [{"action": "archive", "memory_id": str(uuid4())}]}).status_code == 403
        assert http.post(UNDO, json={"action_id": str(uuid4())}).status_code == 403
