from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from pronoia.domain.audit import NO_ORGANISATION
from pronoia.faces.http.application import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Audited

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a91"
READING = {
    *("POST /api/v1/memories/search", "POST /api/v1/memories/search-weighted", "POST /api/v1/memories/recall"),
    *("POST /api/v1/search", "POST /api/v1/context", "POST /api/v1"),
    *("POST /api/v1/memories/predict", "POST /api/v1/memories/suggest"),
    # The relationships that they may be told to write are each written as any other is.
    *("POST /api/v1/learning/analyze", "POST /api/v1/learning/analyze-enhanced"),
}
"""What asks by a body, and writes nothing of its own."""

Ids = dict[str, str]
MEMORY = {"text": CANARY, "metadata": {CANARY: CANARY}, "tags": [CANARY], "source": CANARY}
WRITING: dict[str, tuple[str, Callable[[Ids], dict[str, Any]]]] = {
    "POST /api/v1/memories": ("memory_created", lambda _: MEMORY),
    "POST /api/v1/memories/batch": ("memory_created", lambda _: {"memories": [MEMORY] * 30}),
    "POST /api/v1/memories/learn": ("memory_created", lambda _: MEMORY),
    "PUT /api/v1/memories/{memory_id}": ("memory_updated", lambda _: {"text": CANARY + " put"}),
    "PATCH /api/v1/memories/{memory_id}": ("memory_updated", lambda _: {"text": CANARY + " patched"}),
    "POST /api/v1/memories/{memory_id}/upgrade": ("memory_updated", lambda _: {}),
    "POST /api/v1/memories/{memory_id}/feedback": ("feedback_given", lambda _: {"helpful": True, "context": CANARY}),
    "POST /api/v1/relationships": (
        "relationship_created",
        lambda ids: {"memory_id": ids["memory_id"], "related_memory_id": ids["other"], "explanation": CANARY},
    ),
    "DELETE /api/v1/relationships/{relationship_id}": ("relationship_deleted", lambda _: {}),
    "POST /api/v1/learning/apply-suggestions": (
        "relationship_created",
        lambda ids: {
            "suggestions": [
                {
                    "memory_id": ids["memory_id"],
                    "related_memory_id": ids["other"],
                    "suggested_type": "caused_by",
                    "confidence": 0.9,
                    "reason": CANARY,
                }
            ]
        },
    ),
    "POST /api/v1/memories/{memory_id}/quarantine": ("memories_quarantined", lambda _: {"reason": CANARY}),
    "POST /api/v1/memories/{memory_id}/release": ("memories_released", lambda _: {}),
    "POST /api/v1/quarantine": ("memories_quarantined", lambda ids: {"batch_id": ids["batch_id"]}),
    "POST /api/v1/quarantine/release": ("memories_released", lambda _: {"source": CANARY}),
    "POST /api/v1/batches/{batch_id}/rollback": ("batch_rolled_back", lambda _: {}),
    "POST /api/v1/learning/maintenance/apply": (
        "maintenance_applied",
        lambda ids: {"actions": [{"action": "archive", "memory_id": ids["other"]}]},
    ),
    "POST /api/v1/learning/maintenance/undo": ("maintenance_applied", lambda ids: {"action_id": ids["action_id"]}),
    "DELETE /api/v1/memories/{memory_id}": ("memory_deleted", lambda _: {}),
    "DELETE /api/v1/memories": ("user_forgotten", lambda _: {}),
    "POST /api/v1/monitoring/test/audit": ("audit_tested", lambda _: {}),
    "PATCH /api/v1/organisation": ("organisation_renamed", lambda _: {"name": CANARY}),
    "POST /api/v1/projects": ("project_created", lambda _: {"project_id": "notes"}),
    "PATCH /api/v1/projects/{project_id}": ("project_changed", lambda _: {"archived": True}),
    "PATCH /api/v1/users/{user_id}": ("role_changed", lambda _: {"role": "admin"}),
    "DELETE /api/v1/users/{user_id}/tokens": ("tokens_revoked", lambda _: {}),
    "POST /api/v1/keys": ("key_created", lambda _: {"user_id": "bea"}),
    "POST /api/v1/keys/{key_id}/rotate": ("key_rotated", lambda _: {}),
    "DELETE /api/v1/keys/{key_id}": ("key_revoked", lambda _: {}),
    "DELETE /api/v1/subjects": ("person_erased", lambda _: {}),
}
"""In an order in which each finds what it needs: what is written down, and the body."""
WITH_A_SECRET = {"POST /api/v1/keys", "POST /api/v1/keys/{key_id}/rotate"}
"""Whose answer is kept nowhere, so it cannot be given again."""
ANSWERED_OTHERWISE = {"POST /api/v1/learning/apply-suggestions", "DELETE /api/v1/subjects"}
"""When they are repeated: the one skips what is there already, the other has revoked the key that it was sent with."""


def test_every_route_that_may_write_is_known_here():
    routes = {f"{one.method} {one.path}" for one in OPERATIONS if one.method != "GET"}
    assert routes == READING | set(WRITING)


async def test_every_write_over_http_leaves_one_row_that_says_who_did_what_to_which(audited: Audited):
    ids = {"memory_id": await _remember(audited), "other": await _remember(audited)}
    ids |= {"user_id": "ada", "project_id": "notes"}
    for route, (action, body) in WRITING.items():
        before = len(await audited.rows())
        method, _, template = route.partition(" ")
        path = template.format(**ids) if "{" in template else template
        request_id = str(uuid4())
        answer = await audited.http.request(
            method, path, json=body(ids), params={"user_id": "ada"}, headers={"X-Request-ID": request_id}
        )
        assert answer.is_success, (route, answer.text)
        (row,) = (await audited.rows())[before:]
        assert (row.action, row.outcome, row.actor) == (action, "succeeded", f"key:{audited.key_id}")
        assert (row.route, row.request_id) == (route, request_id)
        ids |= _made(route, answer.json())


async def test_every_write_is_done_once_for_an_idempotency_key(audited: Audited):
    ids = {"memory_id": await _remember(audited), "other": await _remember(audited)}
    ids |= {"user_id": "ada", "project_id": "notes"}
    for route, (_, body) in WRITING.items():
        method, _, template = route.partition(" ")
        before = len(await audited.rows())
        request = {"json": body(ids), "params": {"user_id": "ada"}, "headers": {"Idempotency-Key": route}}
        path = template.format(**ids) if "{" in template else template
        first, again = [await audited.http.request(method, path, **request) for _ in range(2)]
        assert first.is_success, (route, first.text)
        assert len(await audited.rows()) - before == 1, route
        if route in WITH_A_SECRET:
            shown = again.json()
            assert (again.status_code, shown["code"]) == (409, "ALREADY_EXISTS")
            assert shown["details"] == {"field": "Idempotency-Key", "id": first.json()["id"]}
            assert first.json()["key"] not in again.text
        elif route not in ANSWERED_OTHERWISE:
            assert again.status_code == first.status_code
            changed = {name for name, value in again.json().items() if value != first.json()[name]}
            assert changed <= {"processing_time_ms"}, route
        ids |= _made(route, first.json())


async def test_a_batch_is_one_row_that_counts_all_and_names_twenty(audited: Audited):
    answer = await audited.http.post("/api/v1/memories/batch", json={"memories": [MEMORY] * 30})
    (row,) = await audited.rows(actions=["memory_created"])
    made = [one["id"] for one in answer.json()["memories"]]
    assert json.loads(row.details) == {"count": 30, "ids": made[:20]}


async def test_neither_texts_nor_names_nor_keys_are_in_any_row(audited: Audited):
    await test_every_write_over_http_leaves_one_row_that_says_who_did_what_to_which(audited)
    secret = audited.http.headers["X-API-Key"]
    for wrong in (CANARY, secret.removesuffix("1") + "2"):
        await audited.http.get("/api/v1/memories", headers={"X-API-Key": wrong, "X-Request-ID": CANARY})
    await audited.http.get(f"/api/v1/memories/{CANARY}?user_id={CANARY}", headers={"X-Request-ID": CANARY})
    await audited.services.audit.flush()
    rows = [*await audited.rows(), *await _of_instance(audited)]
    told = " ".join(map(str, rows))
    assert len(rows) > len(WRITING)
    # The name in quotes: its letters are digits, too, of which ids are made.
    for secret_part in (CANARY, *secret.split("_")[2:3], "'ada'", '"ada"', "ada/"):
        assert secret_part not in told


async def test_a_write_that_fails_or_is_repeated_leaves_no_row(audited: Audited):
    headers = {"Idempotency-Key": "once"}
    first = await audited.http.post("/api/v1/memories", json=MEMORY, headers=headers)
    before = len(await audited.rows())
    again = await audited.http.post("/api/v1/memories", json=MEMORY, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert (await audited.http.put(f"/api/v1/memories/{uuid4()}", json={"text": "x"})).status_code == 404
    assert (await audited.http.put(f"/api/v1/memories/{uuid4()}", json={"tags": ["x"]})).status_code == 404
    assert len(await audited.rows()) == before


async def test_keys_that_are_made_and_revoked_leave_a_row_each(audited: Audited):
    key_id, _ = await audited.key(user="bea")
    await audited.services.keys.revoke(audited.organisation_id, key_id)
    made, revoked = (await audited.rows())[-2:]
    assert (made.action, made.actor, made.details) == ("key_created", "system", f'{{"key_id": "{key_id}"}}')
    assert (revoked.action, revoked.details) == ("key_revoked", f'{{"key_id": "{key_id}"}}')


async def test_migrations_are_rows_of_the_instance(audited: Audited):
    rows = await _of_instance(audited)
    assert rows[0].action == "schema_migrated"
    assert rows[0].details.startswith('{"migration": "00')


async def _remember(audited: Audited) -> str:
    answer = await audited.http.post("/api/v1/memories", json=MEMORY)
    return answer.json()["id"]


async def _of_instance(audited: Audited):
    audited_instance = type(audited)(**{**vars(audited), "organisation_id": NO_ORGANISATION})
    return await audited_instance.rows()


def _made(route: str, answer: Any) -> Ids:
    """Give the ids that later requests need."""
    match route:
        case "POST /api/v1/memories/batch":
            return {"batch_id": answer["batch_id"]}
        case "POST /api/v1/relationships":
            return {"relationship_id": answer["id"]}
        case "POST /api/v1/learning/maintenance/apply":
            return {"action_id": answer["actions"][0]["id"]}
        case "POST /api/v1/keys":
            return {"key_id": answer["id"]}
        case _:
            return {}
