"""What maintenance sees of a user who is above the resident limit: not only what they used last."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Permission, Plan
from pronoia.learning.maintenance import SuggestionType
from pronoia.services.drafts import Draft
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio
MOST = 2
DAY = 86_400


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def services(database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    """Look at MOST memories of a kind."""
    monkeypatch.setattr("pronoia.memory.excerpts.MOST_OF_A_KIND", MOST)
    settings = read_settings({}, database_url=database_url, resident_limit=3, learning_schedule=False)
    async with open_services(settings, clock) as services:
        yield services


@pytest.fixture
async def scope(services: Services) -> Scope:
    scope = Scope(uuid4(), "ada")
    await services.keys.create(
        user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
    )
    return scope


async def test_the_longest_unused_are_found_however_much_was_used_since(
    services: Services, scope: Scope, clock: ManualClock
) -> None:
    async def store(text: str) -> UUID:
        clock.advance(1)
        return (await services.memories.add(scope, [Draft(text)])).memories[0].id

    async def use(memory_id: UUID) -> None:
        clock.advance(1)
        await services.recall.get(scope, memory_id)

    misleading = await store("The office is on the second floor")
    forgotten = [await store(text) for text in ("Rex barks at night", "The roof is new", "Bees sleep in winter")]
    await use(misleading)
    for _ in range(4):
        await services.memories.feedback(scope, misleading, helpful=False, context=None, satisfaction=None)
    clock.advance(200 * DAY)
    used = [await store(f"Order {number} went to {city}") for number, city in enumerate(("Oslo", "Rome", "Bern"))]
    for memory_id in used:
        await use(memory_id)
    again = await store("order 2 went to Bern!")
    await use(again)
    await services.recall._uses.flush()

    findings, _ = await services.maintenance.suggestions(scope)
    assert [one.memory.id for one in findings.archivable] == forgotten[:MOST]
    assert [one.memory.id for one in findings.outdated] == [misleading]
    assert [(one.memory.id, one.related[0].id, one.type) for one in findings.duplicates] == [
        (used[2], again, SuggestionType.MERGE)
    ]

    archive = [services.maintenance.suggested_step(one.id) for one in (*findings.archivable, *findings.outdated)]
    await services.maintenance.apply(scope, archive)
    findings, _ = await services.maintenance.suggestions(scope)
    assert ([one.memory.id for one in findings.archivable], findings.outdated) == (forgotten[MOST:], [])
