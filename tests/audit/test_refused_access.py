from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from audit_makers import all_rows

from pronoia.domain.audit import NO_ORGANISATION, Actor, AuditAction
from pronoia.domain.errors import StoreUnavailableError
from pronoia.domain.records import Permission
from pronoia.services.audit.audit import MAXIMUM_UNWRITTEN, Audit
from pronoia.services.audit.refusals import MAXIMUM_KINDS, SEVERAL
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Audited
    from pronoia.domain.audit import AuditRow
    from pronoia.ports.audit import NewAuditRow

pytestmark = pytest.mark.anyio


def told(row: AuditRow) -> tuple[str, str, str | None, str, int]:
    """Give who was refused what, and how often."""
    details = json.loads(row.details)
    return row.action, row.actor, row.route, details["code"], details["times"]


async def refused(audited: Audited) -> list[tuple[str, str, str | None, str, int]]:
    await audited.services.audit.flush()
    return [told(row) for row in await audited.rows(outcome="refused")]


async def test_a_scope_that_is_missing_and_a_memory_of_another_organisation_are_told(audited: Audited):
    made = await audited.http.post("/api/v1/memories", json={"text": "mine"})
    path = f"/api/v1/memories/{made.json()['id']}"
    reader_id, reader = await audited.key(Permission.READ)
    foreigner_id, foreigner = await audited.key(organisation_id=(elsewhere := uuid4()))
    assert (await audited.http.delete(path, headers={"X-API-Key": reader})).status_code == 403
    assert (await audited.http.get(path, headers={"X-API-Key": foreigner})).status_code == 404
    delete, get = ("DELETE /api/v1/memories/{memory_id}", "GET /api/v1/memories/{memory_id}")
    assert await refused(audited) == [("access_refused", f"key:{reader_id}", delete, "FORBIDDEN", 1)]
    theirs = [told(row) for row in await all_rows(audited.database, elsewhere, outcome="refused")]
    assert theirs == [("access_refused", f"key:{foreigner_id}", get, "RESOURCE_NOT_FOUND", 1)]


async def test_who_proves_nothing_is_told_to_the_instance(audited: Audited):
    for key, code in (("", "MISSING_API_KEY"), ("mem_wrong", "INVALID_API_KEY")):
        answer = await audited.http.get("/api/v1/memories", headers={"X-API-Key": key})
        assert answer.status_code == 401
        await audited.services.audit.flush()
        rows = await all_rows(audited.database, NO_ORGANISATION, outcome="refused")
        assert told(rows[-1]) == ("access_refused", "anonymous", "GET /api/v1/memories", code, 1)


async def test_a_flood_is_two_rows_a_minute_the_second_of_which_counts_it(audited: Audited):
    _, reader = await audited.key(Permission.READ)
    for _ in range(3):
        for _ in range(10):
            await audited.http.post("/api/v1/memories", json={"text": "x"}, headers={"X-API-Key": reader})
        await audited.services.audit.flush()
    assert [one[-1] for one in await refused(audited)] == [10]
    audited.clock.advance(60)
    assert [one[-1] for one in await refused(audited)] == [10, 20]


async def test_a_spent_budget_is_told_as_such(audited: Audited):
    before = len(await all_rows(audited.database, NO_ORGANISATION, outcome="refused"))
    answers = [await audited.http.get("/api/v1/memories", headers={"X-API-Key": "mem_wrong"}) for _ in range(30)]
    assert answers[-1].status_code == 429
    await audited.services.audit.flush()
    rows = (await all_rows(audited.database, NO_ORGANISATION, outcome="refused"))[before:]
    counted = {told(row)[0]: told(row)[-1] for row in rows}
    assert counted == {"access_refused": 20, "rate_limited": 10}


class Store:
    """Keeps what it is told, unless it is away."""

    def __init__(self) -> None:
        self.rows: list[NewAuditRow] = []
        self.away = False

    async def record(self, rows: Sequence[NewAuditRow]) -> None:
        if self.away:
            raise StoreUnavailableError("away")
        self.rows.extend(rows)


def refuse(audit: Audit, organisation_id=None, **fields: str) -> None:
    """Refuse somebody."""
    values = {"actor": "anonymous", "code": "FORBIDDEN"} | fields
    actor = Actor(values["actor"], route="GET /")
    audit.refused(organisation_id, AuditAction.ACCESS_REFUSED, actor=actor, code=values["code"])


async def test_whoever_is_refused_in_too_many_ways_is_counted_together_and_nobody_else_with_them():
    store, other = Store(), uuid4()
    audit = Audit(store=store, clock=ManualClock())  # pyright: ignore[reportArgumentType]
    for number in range(10_000):
        refuse(audit, actor=f"key:{number}")
    refuse(audit, other)
    await audit.flush()
    assert len(store.rows) == MAXIMUM_KINDS + 2
    times = {(row.organisation_id, row.actor.name): row.details["times"] for row in store.rows}
    assert times[NO_ORGANISATION, SEVERAL.name] == 10_000 - MAXIMUM_KINDS
    assert times[other, "anonymous"] == 1


async def test_what_is_refused_while_the_database_is_away_waits_up_to_a_bound():
    store, clock = Store(), ManualClock()
    audit = Audit(store=store, clock=clock)  # pyright: ignore[reportArgumentType]
    store.away = True
    for minute in range(200):
        for number in range(MAXIMUM_KINDS):
            refuse(audit, code=f"{minute} {number}")
        await audit.flush()
        clock.advance(60)
    store.away = False
    await audit.flush()
    assert len(store.rows) == MAXIMUM_UNWRITTEN
    assert store.rows[-1].details["code"] == f"199 {MAXIMUM_KINDS - 1}"
    await audit.flush()
    assert len(store.rows) == MAXIMUM_UNWRITTEN


async def test_closing_tells_what_is_left_of_the_minute():
    store = Store()
    audit = Audit(store=store, clock=ManualClock())  # pyright: ignore[reportArgumentType]
    for _ in range(2):
        refuse(audit)
        await audit.flush()
    assert [row.details["times"] for row in store.rows] == [1]
    await audit.close()
    assert [row.details["times"] for row in store.rows] == [1, 1]
