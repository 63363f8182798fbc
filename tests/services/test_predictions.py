from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from pronoia.app import open_services
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Permission, Plan
from pronoia.services.drafts import Draft
from pronoia.services.predictions import PredictRequest
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio

DRAFTS = [
    Draft("The standup begins at nine"),
    Draft("The metrics are on the second dashboard"),
    Draft("Lunch is paid with the blue card"),
    Draft("The release notes live in the wiki"),
    Draft("Grace keeps bees on her roof"),
]
EVERYTHING = PredictRequest(minimum_confidence=0.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 2, 9, tzinfo=UTC))


@pytest.fixture
async def services(settings: Settings, clock: ManualClock) -> AsyncIterator[Services]:
    async with open_services(settings, clock) as services:
        yield services


async def follow(services: Services, clock: ManualClock, scope: Scope, ids: list[UUID], rounds: int) -> None:
    """Get three memories in the same order again and again."""
    for _ in range(rounds):
        for memory_id in ids[:3]:
            clock.advance(600)
            await services.recall.get(scope, memory_id)
            await services.predictions.predict(scope, EVERYTHING)


async def stored(services: Services, scope: Scope, clock: ManualClock) -> list[UUID]:
    """Store memories a second apart."""
    ids: list[UUID] = []
    for draft in DRAFTS:
        clock.advance(1)
        ids.append((await services.memories.add(scope, [draft])).memories[0].id)
    return ids


async def test_what_always_came_next_is_predicted_first_and_says_why(
    services: Services, scope: Scope, clock: ManualClock
) -> None:
    ids = await stored(services, scope, clock)
    await follow(services, clock, scope, ids, 20)
    clock.advance(600)
    predicted = await services.predictions.predict(scope, EVERYTHING)
    best = predicted.predictions[0]
    assert best.memory.id == ids[0]
    assert best.confidence > 0.5
    assert "temporal_pattern_sequence" in best.reasons


async def test_nothing_is_predicted_below_the_minimum(services: Services, scope: Scope, clock: ManualClock) -> None:
    await stored(services, scope, clock)
    sure = PredictRequest(minimum_confidence=0.999)
    assert (await services.predictions.predict(scope, sure)).predictions == []


async def test_a_user_without_memories_is_predicted_nothing(services: Services, scope: Scope) -> None:
    assert (await services.predictions.predict(scope, PredictRequest(context="bees"))).predictions == []


async def test_the_context_tells_what_is_needed_before_there_is_a_history(
    services: Services, scope: Scope, clock: ManualClock
) -> None:
    ids = await stored(services, scope, clock)
    about = PredictRequest(context="How are the bees of Grace doing?", minimum_confidence=0.0)
    best = (await services.predictions.predict(scope, about)).predictions[0]
    assert (best.memory.id, best.reasons[0]) == (ids[4], "context_similarity")


async def test_what_the_caller_has_in_hand_is_not_predicted(
    services: Services, scope: Scope, clock: ManualClock
) -> None:
    ids = await stored(services, scope, clock)
    request = PredictRequest(recent=(ids[1], uuid4()), minimum_confidence=0.0)
    predicted = await services.predictions.predict(scope, request)
    assert {one.memory.id for one in predicted.predictions} == {*ids} - {ids[1]}
    assert predicted.predictions[0].memory.id == ids[2]


async def test_a_deleted_memory_is_never_predicted_again(services: Services, scope: Scope, clock: ManualClock) -> None:
    ids = await stored(services, scope, clock)
    await follow(services, clock, scope, ids, 3)
    await services.memories.delete(scope, ids[0])
    predicted = await services.predictions.predict(scope, EVERYTHING)
    assert {one.memory.id for one in predicted.predictions} == {*ids[1:]}


async def test_habits_are_kept_over_a_restart(settings: Settings, clock: ManualClock) -> None:
    scope = Scope(uuid4(), "ada")
    async with open_services(settings, clock) as services:
        await services.keys.create(
            user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
        )
        await follow(services, clock, scope, await stored(services, scope, clock), 20)
        await services.predictions.catch_up()
        before = (await services.predictions.predict(scope, EVERYTHING)).predictions
    async with open_services(settings, clock) as restarted:
        after = (await restarted.predictions.predict(scope, EVERYTHING)).predictions
    assert after[0].memory.id == before[0].memory.id
    # Those that are as likely as each other may change places.
    confidences = {one.memory.id: one.confidence for one in before}
    assert {one.memory.id: one.confidence for one in after} == pytest.approx(confidences, abs=0.02)


async def test_a_forgotten_user_leaves_nothing_that_was_learned(
    services: Services, scope: Scope, clock: ManualClock
) -> None:
    other = Scope(scope.organisation_id, "grace")
    theirs = await stored(services, other, clock)
    untaught = (await services.predictions.predict(other, EVERYTHING)).predictions
    await follow(services, clock, scope, await stored(services, scope, clock), 10)
    taught = (await services.predictions.predict(other, EVERYTHING)).predictions
    assert [one.confidence for one in taught] != pytest.approx([one.confidence for one in untaught], abs=1e-4)
    await services.memories.forget(scope)
    assert (await services.predictions.predict(scope, EVERYTHING)).predictions == []
    again = (await services.predictions.predict(other, EVERYTHING)).predictions
    assert {one.memory.id for one in again} == {*theirs}


async def test_another_organisation_learns_nothing_from_this_one(
    services: Services, scope: Scope, clock: ManualClock
) -> None:
    stranger = Scope(uuid4(), "ada")
    await services.keys.create(
        user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=stranger.organisation_id
    )
    await stored(services, stranger, clock)
    before = [one.confidence for one in (await services.predictions.predict(stranger, EVERYTHING)).predictions]
    await follow(services, clock, scope, await stored(services, scope, clock), 10)
    clock.advance(-(10 * 3 * 600 + len(DRAFTS)))
    after = [one.confidence for one in (await services.predictions.predict(stranger, EVERYTHING)).predictions]
    assert after == pytest.approx(before, abs=1e-6)
