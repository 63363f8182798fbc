from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pronoia.config import read_settings
from pronoia.domain.records import Access, AccessKind, RelationshipType
from pronoia.ports.insight_store import DailyOutcome, OutcomeKind
from pronoia.prediction.patterns import PatternKind
from pronoia.services.drafts import Draft

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(database_url):
    return read_settings({}, database_url=database_url, learning_schedule=False)


@pytest.fixture
async def pair(services, scope):
    """Give two memories that were used together on seven mornings, and the user's others now and then."""
    drafts = [Draft("Green tea is in the cupboard", tags=("tea",)), Draft("The kettle is broken", tags=("tea",))]
    others = [Draft(f"Other {number}") for number in range(8)]
    written = (await services.memories.add(scope, [*drafts, *others])).memories
    ids = [memory.id for memory in written]
    start = datetime.now(UTC) - timedelta(days=20)
    accesses = []
    for day in range(7):
        at = start + timedelta(days=day)
        accesses += [Access(scope, ids[place], AccessKind.GET, at + timedelta(seconds=place)) for place in (0, 1)]
        accesses.append(Access(scope, ids[2 + day], AccessKind.GET, at + timedelta(hours=2)))
        accesses.append(Access(scope, ids[2 + (day + 3) % 8], AccessKind.GET, at + timedelta(hours=5)))
    await services.memories._uses._access_log.record(accesses)
    return ids[:2]


async def test_memories_used_together_are_suggested_once_and_related_when_applied(services, scope, pair):
    first = await services.analysis.analyse(scope)
    (suggested,) = first.suggestions
    assert {suggested.memory_id, suggested.related_memory_id} == set(pair)
    assert (suggested.co_access_count, suggested.confidence) == (7, 0.77)
    assert suggested.suggested_type is RelationshipType.RELATED_TO
    assert (await services.analysis.analyse(scope)).suggestions == first.suggestions
    assert (await services.analysis.analyse(scope, apply=True)).applied == 1
    again = await services.analysis.analyse(scope, apply=True)
    assert (again.suggestions, again.applied) == ([], 0)
    runs = await services.analysis.status(scope)
    assert (runs.total_analyses, runs.relationships_created) == (4, 1)


async def test_the_report_keeps_to_its_days(services, scope, pair):
    use = await services.insights.use(scope, 30)
    assert (len(use.rows), sum(use.hourly), sum(use.daily)) == (28, 28, 28)
    assert [count for count in use.pair_counts.tolist() if count >= 3] == [7]
    together = [one for one in use.patterns if one.kind is PatternKind.CO_ACCESS]
    assert [(set(use.ids(one.memories)), one.occurrences) for one in together] == [(set(pair), 7)]
    assert len((await services.insights.use(scope, 7)).rows) == 0


async def test_progress_is_counted_from_outcomes(services, scope, pair):
    assert pair
    today = datetime.now(UTC).date()
    rows = [
        DailyOutcome(today, OutcomeKind.PREDICTION, 8, 10, 6, 8.5),
        DailyOutcome(today, OutcomeKind.SUGGESTION, 0, 100, 60),
        DailyOutcome(today, OutcomeKind.WITHHELD, 0, 100, 30),
        DailyOutcome(today, OutcomeKind.SILENT, 0, 50, 0),
    ]
    await services.insights._store.add_outcomes([(scope, row) for row in rows])
    progress = await services.insights.progress(scope, 30)
    assert progress.series["prediction_accuracy"][0].value == pytest.approx(0.6)
    assert progress.calibration_error == pytest.approx(0.25)
    assert progress.abstention_rate == pytest.approx(0.2)
    assert progress.uplift == pytest.approx(0.3)
    assert progress.uplift_interval == pytest.approx((0.163, 0.425), abs=0.005)
