from __future__ import annotations

from uuid import uuid4

import pytest

from pronoia.adapters.postgres.insight_store import PostgresInsightStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.errors import StoreUnavailableError
from pronoia.ports.insight_store import OutcomeKind
from pronoia.services.drafts import Draft
from pronoia.services.outcomes import MATCH_SECONDS, OPEN_ANSWERS, Outcomes
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter

pytestmark = pytest.mark.anyio
ONE, OTHER = uuid4(), uuid4()


@pytest.fixture
async def store(database_url):
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    yield PostgresInsightStore(database)
    await database.close()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def outcomes(services, scope, store, clock):
    await services.memories.add(scope, [Draft("A user must exist")])
    return Outcomes(store=store, clock=clock, meter=RecordingMeter())


async def kept(outcomes, store, scope, clock):
    await outcomes.flush()
    rows = await store.outcomes(scope, clock.now().date())
    return {(one.kind, one.bin): (one.trials, one.hits) for one in rows}


async def test_a_prediction_is_right_if_used_within_ten_uses(outcomes, store, scope, clock):
    outcomes.record_prediction(scope, [(ONE, 0.85), (OTHER, 0.15)])
    for _ in range(9):
        outcomes.record_use(scope, uuid4(), clock.now())
    outcomes.record_use(scope, ONE, clock.now())
    outcomes.record_use(scope, OTHER, clock.now())
    assert await kept(outcomes, store, scope, clock) == {
        (OutcomeKind.PREDICTION, 8): (1, 1),
        (OutcomeKind.PREDICTION, 1): (1, 0),
    }


async def test_a_search_or_suggestion_waits_half_an_hour(outcomes, store, scope, clock):
    outcomes.record_search(scope, [ONE])
    outcomes.record_suggestion(scope, [OTHER], withheld=True, silent=False)
    outcomes.record_suggestion(scope, [], withheld=False, silent=True)
    clock.advance(MATCH_SECONDS)
    outcomes.record_use(scope, ONE, clock.now())
    clock.advance(1)
    outcomes.record_use(scope, OTHER, clock.now())
    assert await kept(outcomes, store, scope, clock) == {
        (OutcomeKind.SEARCH, 0): (1, 1),
        (OutcomeKind.WITHHELD, 0): (1, 0),
        (OutcomeKind.SILENT, 0): (1, 0),
    }


async def test_waiting_answers_are_bounded(outcomes, store, scope, clock):
    for _ in range(OPEN_ANSWERS + 5):
        outcomes.record_search(scope, [ONE])
    assert await kept(outcomes, store, scope, clock) == {(OutcomeKind.SEARCH, 0): (5, 0)}


async def test_what_could_not_be_written_is_written_with_the_next(outcomes, store, scope, clock, monkeypatch):
    outcomes.record_suggestion(scope, [], withheld=False, silent=True)

    async def away(_):
        raise StoreUnavailableError("away")

    with monkeypatch.context() as broken:
        broken.setattr(store, "add_outcomes", away)
        with pytest.raises(StoreUnavailableError):
            await outcomes.flush()
    outcomes.record_suggestion(scope, [], withheld=False, silent=True)
    assert await kept(outcomes, store, scope, clock) == {(OutcomeKind.SILENT, 0): (2, 0)}


async def test_forgetting_a_user_leaves_no_sum(outcomes, store, scope, clock, services):
    outcomes.record_suggestion(scope, [], withheld=False, silent=True)
    assert await kept(outcomes, store, scope, clock)
    await services.memories.forget(scope)
    assert await kept(outcomes, store, scope, clock) == {}
