"""Memories go when their project has kept them long enough, by the same way as any that is deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from pronoia.adapters.postgres.housekeeping import PostgresHousekeeping
from pronoia.adapters.postgres.transactions import Database
from pronoia.app import open_services
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Filters, Permission, Plan
from pronoia.services.drafts import Draft
from pronoia.services.expiry import Expiry
from pronoia.services.recall import SearchRequest
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.config import Settings
    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def expiry(services: Services, clock: ManualClock, database_url: str) -> AsyncIterator[Expiry]:
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    store = PostgresHousekeeping(database, direct_url=database_url)
    yield Expiry(store=store, memories=services.memories, clock=clock, meter=RecordingMeter())
    await database.close()


@pytest.fixture
async def services(settings: Settings, clock: ManualClock) -> AsyncIterator[Services]:
    async with open_services(settings, clock) as services:
        yield services


async def remember(services: Services, scope: Scope, text: str, project: str) -> int:
    return (await services.memories.add(scope, [Draft(text, project_id=project)])).version


async def texts(services: Services, scope: Scope) -> set[str]:
    found = await services.recall.search(scope, SearchRequest("note", Filters(), limit=50))
    return {hit.memory.text for hit in found.hits}


async def test_memories_older_than_their_project_keeps_them_are_deleted_and_no_others(
    services: Services,
    expiry: Expiry,
    scope: Scope,
    clock: ManualClock,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pronoia.services.expiry.BATCH", 2)
    other = Scope(uuid4(), "eve")
    await services.keys.create(
        user_id="eve", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=other.organisation_id
    )
    for project, days in (("short", 30), ("long", 90), ("default", None)):
        await services.projects.create(scope.organisation_id, project, days)
    for number in range(5):
        await remember(services, scope, f"short note {number}", "short")
    await remember(services, scope, "long note", "long")
    await remember(services, scope, "kept note", "default")
    await remember(services, other, "another's note", "short")
    clock.advance(29 * DAY)
    version = await remember(services, scope, "new short note", "short")
    assert len(await texts(services, scope)) == 8
    clock.advance(2 * DAY)
    await expiry.apply()
    assert await texts(services, scope) == {"long note", "kept note", "new short note"}
    assert await texts(services, other) == {"another's note"}
    held = await services.recall._residents.get(scope)
    assert (held.version, held.count) == (version + 5, 3)
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("select memory_count from users where user_id = 'ada'") == 3
        assert await connection.fetchval("select count(*) from removals where user_id = 'ada'") >= 5
        assert await connection.fetchval("select count(*) from accesses where user_id = 'ada' and kind = 'write'") <= 3
    finally:
        await connection.close()
