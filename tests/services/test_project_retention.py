"""Memories go when their project has kept them long enough, by the same way as any that is deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from pronoia.app import open_services
from pronoia.domain.errors import InvalidInputError, NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Filters, Permission, Plan
from pronoia.ports.retention_store import RetentionPolicy
from pronoia.services import retention
from pronoia.services.drafts import Draft
from pronoia.services.recall import SearchRequest
from pronoia.testing.clock import ManualClock

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
async def services(settings: Settings, clock: ManualClock) -> AsyncIterator[Services]:
    async with open_services(settings, clock) as services:
        yield services


async def remember(services: Services, scope: Scope, text: str, project: str) -> int:
    return (await services.memories.add(scope, [Draft(text, project_id=project)])).version


async def texts(services: Services, scope: Scope) -> set[str]:
    found = await services.recall.search(scope, SearchRequest("note", Filters(), limit=50))
    return {hit.memory.text for hit in found.hits}


async def test_memories_older_than_their_project_keeps_them_are_deleted_and_no_others(
    services: Services, scope: Scope, clock: ManualClock, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    other = Scope(uuid4(), "eve")
    await services.keys.create(
        user_id="eve", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=other.organisation_id
    )
    await services.retention.set(scope.organisation_id, "short", 30)
    await services.retention.set(scope.organisation_id, "long", 90)
    for number in range(5):
        await remember(services, scope, f"short note {number}", "short")
    await remember(services, scope, "long note", "long")
    await remember(services, scope, "kept note", "default")
    await remember(services, other, "another's note", "short")
    clock.advance(29 * DAY)
    version = await remember(services, scope, "new short note", "short")
    assert len(await texts(services, scope)) == 8
    clock.advance(2 * DAY)
    await services.retention.apply()
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


async def test_a_look_is_taken_once_an_hour(services: Services, scope: Scope, clock: ManualClock) -> None:
    await services.retention.apply()
    await services.retention.set(scope.organisation_id, "short", 1)
    await remember(services, scope, "note", "short")
    clock.advance(DAY + 1)
    services.retention._due_at = clock.monotonic() + 60
    await services.retention.apply()
    assert await texts(services, scope) == {"note"}
    clock.advance(61)
    await services.retention.apply()
    assert await texts(services, scope) == set()


async def test_policies_are_set_changed_and_removed_by_organisation(services: Services, scope: Scope) -> None:
    organisation = scope.organisation_id
    await services.retention.set(organisation, "b", 10)
    await services.retention.set(organisation, "a", 20)
    await services.retention.set(organisation, "b", 30)
    assert await services.retention.listed(organisation) == [RetentionPolicy("a", 20), RetentionPolicy("b", 30)]
    assert await services.retention.listed(uuid4()) == []
    await services.retention.remove(organisation, "a")
    assert await services.retention.listed(organisation) == [RetentionPolicy("b", 30)]
    with pytest.raises(NotFoundError):
        await services.retention.remove(organisation, "a")
    for project, days in (("p", 0), ("p", 36_501), ("", 1)):
        with pytest.raises(InvalidInputError):
            await services.retention.set(organisation, project, days)
