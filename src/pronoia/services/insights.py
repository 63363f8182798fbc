"""What use shows: patterns, and how well memory serves over time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pronoia.ports.insight_store import DailyOutcome, DailyValue, OutcomeKind
from pronoia.prediction.patterns import Pattern, detect_patterns, distributions
from pronoia.prediction.sessions import count_pairs, members, split_sessions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor
    from datetime import date, tzinfo
    from uuid import UUID

    from numpy.typing import NDArray

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import RelationshipType
    from pronoia.memory.excerpts import Excerpts
    from pronoia.memory.residents import Residents
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.ports.insight_store import InsightStore

LARGEST_HISTORY = 50_000
NORMAL_QUANTILE = 1.96
INTERESTING_CHANGE = 0.01


@dataclass(frozen=True, slots=True)
class LinkReport:
    """Relationships, in all and by type."""

    count: int
    connected: int
    """Memories with any."""
    strengths: dict[RelationshipType, float]
    """The mean of each type that there is."""
    together: dict[RelationshipType, NDArray[np.bool_]]
    """Of each relationship of a type, whether its memories were used in one session."""


@dataclass(frozen=True, slots=True)
class UseReport:
    """Accesses of a period against the working set. `rows`, `times` and sessions are aligned; pairs are of rows."""

    held: WorkingSet
    memory_count: int
    """All that the user has; above the resident limit `held` has those used last alone."""
    rows: NDArray[np.int64]
    times: NDArray[np.float64]
    pairs: NDArray[np.int64]
    pair_counts: NDArray[np.int64]
    links: LinkReport
    hourly: list[int]
    daily: list[int]
    patterns: list[Pattern]

    def ids(self, rows: Sequence[int]) -> list[UUID]:
        return self.held.ids(rows)


@dataclass(frozen=True, slots=True)
class Progress:
    """Daily values, and the sums behind them, of a period."""

    series: dict[str, list[DailyValue]]
    calibration_error: float | None
    abstention_rate: float | None
    uplift: float | None
    uplift_interval: tuple[float, float] | None
    start: datetime
    end: datetime


class Insights:
    """Reads the append-only log of uses once a report; the rest is arithmetic beside the event loop."""

    def __init__(
        self,
        *,
        store: InsightStore,
        residents: Residents,
        excerpts: Excerpts,
        clock: Clock,
        executor: Executor,
        zone: tzinfo,
    ) -> None:
        self._store = store
        self._residents = residents
        self._excerpts = excerpts
        self._clock = clock
        self._executor = executor
        self._zone = zone

    async def use(self, scope: Scope, days: int, at: datetime | None = None) -> UseReport:
        """Report on the uses of the `days` days before a time, or before now.

        Above the resident limit it is about the memories used last.
        """
        held = await self._residents.get(scope)
        if held is None:
            held = await self._excerpts.last_used(scope)
            memory_count = await self._excerpts.memory_count(scope)
        else:
            memory_count = held.count
        since = (at or self._clock.now()) - timedelta(days=days)
        columns = await self._store.accesses(scope, since, LARGEST_HISTORY)
        known = [
            (row, at)
            for memory_id, at in zip(columns.memory_ids, columns.times, strict=True)
            if (row := held.row_of(memory_id)) is not None
        ]
        rows = np.array([row for row, _ in known], dtype=np.int64)
        times = np.array([at for _, at in known], dtype=np.float64)
        order = np.argsort(times, kind="stable")
        loop = asyncio.get_running_loop()
        work = partial(self._report, held.frozen(), memory_count, rows[order], times[order])
        return await loop.run_in_executor(self._executor, work)

    def _report(
        self, held: WorkingSet, memory_count: int, rows: NDArray[np.int64], times: NDArray[np.float64]
    ) -> UseReport:
        pairs, counts = count_pairs(members(rows, split_sessions(times)))
        hourly, daily = distributions(times, self._zone)
        patterns = detect_patterns(rows, times, self._zone)
        links = _report_links(held, pairs)
        return UseReport(held, memory_count, rows, times, pairs, counts, links, hourly, daily, patterns)

    async def progress(self, scope: Scope, days: int, at: datetime | None = None) -> Progress:
        """Give the metrics of the `days` days before a time, or before now; that day as it stands."""
        end = at or self._clock.now()
        start = end - timedelta(days=days)
        outcomes = await self._store.outcomes(scope, start.date())
        values = [
            *_accuracy("search_accuracy", [one for one in outcomes if one.kind is OutcomeKind.SEARCH]),
            *_accuracy("prediction_accuracy", [one for one in outcomes if one.kind is OutcomeKind.PREDICTION]),
            *await self._store.satisfaction(scope, start),
            *[one for one in await self._store.metrics(scope, start.date()) if one.day < end.date()],
            *await self.measure(scope, end.date()),
        ]
        series: dict[str, list[DailyValue]] = {}
        for value in sorted(values, key=lambda one: one.day):
            series.setdefault(value.metric, []).append(value)
        uplift, interval = _uplift(outcomes)
        return Progress(series, _calibration_error(outcomes), _abstention(outcomes), uplift, interval, start, end)

    async def measure(self, scope: Scope, day: date) -> list[DailyValue]:
        """Measure what can only be seen at the time: helpfulness of what is used, strength of relationships."""
        held = await self._residents.get(scope)
        if held is None:
            return []
        used = held.alive & (held.usage_count > 0)
        values: list[DailyValue] = []
        if used.any():
            values.append(DailyValue("avg_helpfulness", day, float(held.helpfulness[used].mean())))
        strengths = held.links.columns().strengths
        if len(strengths):
            values.append(DailyValue("relationship_quality", day, float(strengths.mean())))
        return values

    async def keep_measures(self, scope: Scope) -> None:
        """Keep today's measures; kept again, they are replaced."""
        for value in await self.measure(scope, self._clock.now().date()):
            await self._store.keep_metric(scope, value)


def _report_links(held: WorkingSet, pairs: NDArray[np.int64]) -> LinkReport:
    columns = held.links.columns()
    rows = held.rows_of_ids(np.concatenate((columns.from_ids, columns.to_ids)))
    ends = np.sort(rows.reshape(2, -1).T, axis=1)
    codes, used = ends[:, 0] * held.size + ends[:, 1], pairs[:, 0] * held.size + pairs[:, 1]
    together = np.isin(codes, used)
    kinds = columns.places_by_type()
    return LinkReport(
        count=len(columns.ids),
        connected=len(np.unique(rows[rows >= 0])),
        strengths={kind: round(float(columns.strengths[places].mean()), 3) for kind, places in kinds.items()},
        together={kind: together[places[ends[places, 0] >= 0]] for kind, places in kinds.items()},
    )


def as_time(day: date) -> datetime:
    """Give the beginning of a day in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def trend_of(first: float, last: float) -> str:
    """Say which way a metric went; changes below INTERESTING_CHANGE count as none."""
    if abs(last - first) < INTERESTING_CHANGE:
        return "stable"
    return "improving" if last > first else "declining"


def _accuracy(metric: str, outcomes: list[DailyOutcome]) -> list[DailyValue]:
    days: dict[date, tuple[int, int]] = {}
    for one in outcomes:
        trials, hits = days.get(one.day, (0, 0))
        days[one.day] = (trials + one.trials, hits + one.hits)
    return [DailyValue(metric, day, hits / trials) for day, (trials, hits) in days.items()]


def _calibration_error(outcomes: Sequence[DailyOutcome]) -> float | None:
    """Give the expected calibration error over ten bins of confidence, None without predictions (Naeini 2015)."""
    sums = np.zeros((10, 3))
    for one in outcomes:
        if one.kind is OutcomeKind.PREDICTION:
            sums[one.bin] += (one.trials, one.hits, one.confidence)
    total = sums[:, 0].sum()
    return None if total == 0 else float(np.abs(sums[:, 1] - sums[:, 2]).sum() / total)


def _sum(outcomes: Sequence[DailyOutcome], kind: OutcomeKind) -> tuple[int, int]:
    of_kind = [one for one in outcomes if one.kind is kind]
    return sum(one.trials for one in of_kind), sum(one.hits for one in of_kind)


def _abstention(outcomes: Sequence[DailyOutcome]) -> float | None:
    """Give the share of suggestion calls that were answered with nothing."""
    silent, _ = _sum(outcomes, OutcomeKind.SILENT)
    spoken = _sum(outcomes, OutcomeKind.SUGGESTION)[0] + _sum(outcomes, OutcomeKind.WITHHELD)[0]
    return silent / (silent + spoken) if silent + spoken else None


def _uplift(outcomes: Sequence[DailyOutcome]) -> tuple[float | None, tuple[float, float] | None]:
    """Give the use of what was shown less that of what was withheld, with Agresti and Caffo's 95 % interval (2000)."""
    shown, shown_used = _sum(outcomes, OutcomeKind.SUGGESTION)
    withheld, withheld_used = _sum(outcomes, OutcomeKind.WITHHELD)
    if not shown or not withheld:
        return None, None
    one, other = (shown_used + 1) / (shown + 2), (withheld_used + 1) / (withheld + 2)
    half = NORMAL_QUANTILE * (one * (1 - one) / (shown + 2) + other * (1 - other) / (withheld + 2)) ** 0.5
    return shown_used / shown - withheld_used / withheld, (one - other - half, one - other + half)
