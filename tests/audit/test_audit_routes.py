from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from audit_makers import chain_all

from pronoia.domain.records import Permission

if TYPE_CHECKING:
    from conftest import Audited

pytestmark = pytest.mark.anyio

LOGS, STATS = "/api/v1/monitoring/audit/logs", "/api/v1/monitoring/audit/stats"


async def logs(audited: Audited, **query: Any) -> dict[str, Any]:
    """Give what is listed, once all is chained."""
    await chain_all(audited.database)
    answer = await audited.http.get(LOGS, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def types(audited: Audited, **query: Any) -> list[str]:
    return [one["event_type"] for one in (await logs(audited, **query))["logs"]]


@pytest.fixture
async def told(audited: Audited) -> Audited:
    """Give a log of five rows: a key, a memory, its update, a judgement, and a refusal."""
    made = await audited.http.post("/api/v1/memories", json={"text": "a"})
    path = f"/api/v1/memories/{made.json()['id']}"
    await audited.http.put(path, json={"text": "b"})
    await audited.http.post(path + "/feedback", json={"helpful": True})
    await audited.http.get(f"/api/v1/memories/{uuid4()}")
    await audited.services.audit.flush()
    return audited


NEWEST_FIRST = ["access_refused", "feedback_given", "memory_updated", "memory_created", "key_created"]


async def test_rows_are_listed_newest_first_under_every_name_that_clients_read(told: Audited):
    answer = await logs(told)
    assert (answer["total"], answer["next_cursor"]) == (5, None)
    assert [one["event_type"] for one in answer["logs"]] == NEWEST_FIRST
    assert [one["number"] for one in answer["logs"]] == [5, 4, 3, 2, 1]
    created = answer["logs"][3]
    memory_id = created["memory_id"]
    assert created == created | {
        "id": "2",
        "action_type": "memory_created",
        "event_category": "memory",
        "severity": "info",
        "success": True,
        "outcome": "succeeded",
        "actor": f"key:{told.key_id}",
        "resource_id": memory_id,
        "route": "POST /api/v1/memories",
        "details": {"count": 1, "ids": [memory_id]},
        "ip_address": None,
        "previous_hash": answer["logs"][4]["hash"],
    }
    assert UUID(created["user_id"])
    assert created["user_id"] == answer["logs"][1]["user_id"]


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"event_type": "memory_updated"}, [2]),
    ({"action_type": "memory_created"}, [3]),
    ({"event_category": "memory"}, [2, 3]),
    ({"event_category": "learning"}, [1]),
    ({"event_category": "security"}, [0, 4]),
    ({"event_category": "learning", "event_type": "memory_updated"}, []),
    ({"severity": "warning"}, [0]),
    ({"severity": "critical"}, []),
    ({"success": "false"}, [0]),
    ({"success": "true", "outcome": "refused"}, []),
    ({"outcome": "succeeded"}, [1, 2, 3, 4]),
    ({"actor": "system"}, [4]),
    ({"limit": 2}, [0, 1]),
    ({"limit": 2, "offset": 3}, [3, 4]),
    ({"cursor": 3}, [3, 4]),
    ({"start_time": "2000-01-01T00:00:00Z", "end_time": "2000-01-02T00:00:00Z"}, []),
    ({"end_date": "2000-01-01"}, []),
    ({"start_date": "2000-01-01"}, [0, 1, 2, 3, 4]),
]
"""What is asked for, and the places in NEWEST_FIRST of what is left."""


async def test_filters_leave_what_was_asked_for(told: Audited):
    for query, places in FILTERS:
        assert await types(told, **query) == [NEWEST_FIRST[place] for place in places], query


async def test_the_cursor_leads_through_all_pages(told: Audited):
    seen: list[str] = []
    cursor: dict[str, int] = {}
    while True:
        page = await logs(told, limit=2, **cursor)
        seen += [one["event_type"] for one in page["logs"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == NEWEST_FIRST


async def test_times_bound_what_is_listed(told: Audited):
    middle = (await logs(told))["logs"][2]["timestamp"]
    assert await types(told, start_time=middle) == NEWEST_FIRST[:3]
    assert await types(told, end_time=middle) == NEWEST_FIRST[3:]


async def test_a_time_that_is_none_is_refused_by_name(audited: Audited):
    answer = await audited.http.get(LOGS, params={"start_date": "yesterday"})
    assert (answer.status_code, answer.json()["details"]["field"]) == (400, "start_date")


async def test_a_period_is_counted_by_category(told: Audited):
    await chain_all(told.database)
    # The clock of the test stands still; rows are dated by the database.
    told.clock.advance(timedelta(days=3_650).total_seconds())
    assert (await told.http.get(STATS)).json()["stats"]["total_events"] == 0
    told.clock.advance(-timedelta(days=3_650).total_seconds())
    answer = (await told.http.get(STATS, params={"period": "24h"})).json()
    categories = {"memory": 2, "learning": 1, "security": 2, "performance": 0, "collaboration": 0}
    assert answer == {
        "period": "24h",
        "stats": {"total_events": 5, "error_events": 1, "error_rate": 20.0, "events_by_category": categories},
    }


async def test_a_test_row_arrives(audited: Audited):
    assert (await audited.http.post("/api/v1/monitoring/test/audit")).json()["success"]
    assert (await types(audited))[0] == "audit_tested"


async def test_only_admins_may_see_it_and_only_their_own_organisation(told: Audited):
    _, member = await told.key(Permission.READ, Permission.WRITE, Permission.LEARN)
    for method, path in (("GET", LOGS), ("GET", STATS), ("POST", "/api/v1/monitoring/test/audit")):
        assert (await told.http.request(method, path, headers={"X-API-Key": member})).status_code == 403
    _, elsewhere = await told.key(organisation_id=uuid4())
    await chain_all(told.database)
    answer = await told.http.get(LOGS, headers={"X-API-Key": elsewhere})
    assert [one["event_type"] for one in answer.json()["logs"]] == ["key_created"]
