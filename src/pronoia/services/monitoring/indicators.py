"""The numbers that rules are about, as the server knows them by itself.

Each gives its values by their labels, or None where nothing is known: an unknown number neither breaks a rule nor mends
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.services.monitoring import readings
from pronoia.services.monitoring.histogram import quantile, slower_than
from pronoia.services.monitoring.objectives import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from pronoia.ports.monitoring import Gauge, KeptLevel, Level
    from pronoia.services.monitoring.objectives import Objective, Objectives

FEWEST_CACHE_LOOKUPS = 100
REQUESTS_THAT_MAKE_PATTERNS = 1_000
PATTERN_HOURS = "6h"

Labels = tuple[tuple[str, str], ...]
Values = dict[Labels, float]
TEN_MINUTES, FIVE_MINUTES, HOUR = "10m", "5m", "1h"


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known at a moment. `levels` is None while the database cannot be asked."""

    at: datetime
    levels: Mapping[str, KeptLevel] | None
    """By window, such as 5m."""
    reports: Sequence[Sequence[Gauge]]
    """Of each running process."""
    objectives: Objectives


def windows(objectives: Objectives) -> list[str]:
    """Give all windows that an observation has."""
    return sorted({*objectives.windows, FIVE_MINUTES, TEN_MINUTES, HOUR, PATTERN_HOURS}, key=seconds_of)


def bad_and_all(objective: Objective, level: Level) -> tuple[int, int]:
    """Count the bad requests, and those that the objective is about."""
    if objective.seconds is not None:
        return slower_than(level.latencies, objective.seconds), sum(level.latencies)
    if objective.name == "errors":
        return max(level.failed - level.shed, 0), max(level.requests - level.shed, 0)
    return level.failed, level.requests


def bad_share(objective: Objective, level: Level, minimum_bad: int) -> float:
    """Give the share of bad requests; none, if there are too few to be evidence."""
    bad, total = bad_and_all(objective, level)
    return bad / total if total and bad >= minimum_bad else 0.0


def _share(objective: str, window: str) -> Callable[[Observation], Values | None]:
    def of(seen: Observation) -> Values | None:
        if seen.levels is None:
            return None
        found = seen.objectives.objective(objective)
        return {(): bad_share(found, seen.levels[window].level, seen.objectives.minimum_bad)}

    return of


def _latency(objective: str, share: float) -> Callable[[Observation], Values | None]:
    def of(seen: Observation) -> Values | None:
        if seen.levels is None:
            return None
        level = seen.levels[FIVE_MINUTES].level
        evidence = bad_and_all(seen.objectives.objective(objective), level)[0] >= seen.objectives.minimum_bad
        return {(): (quantile(level.latencies, share) or 0.0) if evidence else 0.0}

    return of


def _foresight(seen: Observation) -> Values | None:
    if seen.levels is None:
        return None
    counts = seen.levels[FIVE_MINUTES].level.foresight
    return {(): (quantile(counts, 0.95) or 0.0) if sum(counts) >= seen.objectives.minimum_bad else 0.0}


def _cache_hit_rate(seen: Observation) -> Values | None:
    if seen.levels is None:
        return None
    level = seen.levels[TEN_MINUTES].level
    return {(): level.cache_found / level.cache_asked if level.cache_asked >= FEWEST_CACHE_LOOKUPS else 1.0}


def _patterns_missing(seen: Observation) -> Values | None:
    if seen.levels is None:
        return None
    kept = seen.levels[PATTERN_HOURS]
    # The first minute of the window is there only if the server ran all the while.
    ran = kept.first is not None and (seen.at - kept.first).total_seconds() > seconds_of(PATTERN_HOURS) - 1_800
    used = sum(kept.level.latencies) > REQUESTS_THAT_MAKE_PATTERNS
    return {(): float(ran and used and not kept.level.patterns)}


def _gauge(
    family: str, label: str | None, choose: Callable[[Iterable[float]], float]
) -> Callable[[Observation], Values]:
    """Choose one value of all processes for each value of a label."""

    def of(seen: Observation) -> Values:
        found: dict[Labels, list[float]] = {}
        for report in seen.reports:
            for gauge in report:
                if gauge.family == family:
                    labels = () if label is None else ((label, gauge.labels[label]),)
                    found.setdefault(labels, []).append(gauge.value)
        return {labels: choose(values) for labels, values in found.items()}

    return of


def _cache_bytes(seen: Observation) -> Values:
    return {(): sum(_gauge(readings.CACHE_BYTES, "tier", max)(seen).values())}


def _connections(seen: Observation) -> Values | None:
    used = _gauge(readings.CONNECTIONS, None, sum)(seen).get(())
    limit = _gauge(readings.CONNECTIONS_LIMIT, None, sum)(seen).get(())
    return {(): used / limit} if used is not None and limit else None


INDICATORS: Mapping[str, Callable[[Observation], Values | None]] = {
    "error_rate": _share("errors", FIVE_MINUTES),
    "unavailable_share": _share("availability", HOUR),
    "latency_p95_seconds": _latency("latency_p95", 0.95),
    "latency_p99_seconds": _latency("latency_p99", 0.99),
    "foresight_p95_seconds": _foresight,
    "breaker_state": _gauge(readings.BREAKER, "breaker_name", max),
    "component_health": _gauge(readings.HEALTH, "component", min),
    "cache_hit_rate": _cache_hit_rate,
    "cache_bytes": _cache_bytes,
    "connections_share": _connections,
    "orphaned_relationships": _gauge(readings.ORPHANS, None, max),
    "metric_rows": _gauge(readings.METRIC_ROWS, None, max),
    "patterns_missing": _patterns_missing,
    "audit_lag_seconds": _gauge(readings.AUDIT_LAG, None, max),
    "audit_checkpoint_age_seconds": _gauge(readings.AUDIT_CHECKPOINT_AGE, None, max),
}
