"""What the server measures, remembered as far as it watches itself by it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pronoia.ports.monitoring import Gauge

if TYPE_CHECKING:
    from pronoia.ports.telemetry import Meter

SHED = "requests_shed_total"
CACHE_HITS, CACHE_MISSES = "cache_hits_total", "cache_misses_total"
CACHE_FAILURES = "cache_failures_total"
PATTERNS, ADJUSTMENTS = "temporal_patterns_detected_total", "user_weight_adjustments_total"
BREAKER = "circuit_breaker_state"
HEALTH = "component_health"
CACHE_BYTES = "cache_bytes"
CONNECTIONS, CONNECTIONS_LIMIT = "db_connections_active", "db_connections_limit"
ORPHANS, METRIC_ROWS = "orphaned_relationships", "learning_metric_rows"
AUDIT_LAG, AUDIT_CHECKPOINT_AGE = "audit_chain_lag_seconds", "audit_checkpoint_age_seconds"
RELATIONSHIPS = "relationships_total"
MEMORY, LOOP_LAG = "process_resident_memory_bytes", "event_loop_lag_seconds"
LEVEL = "degradation_level"

COUNTERS = frozenset({SHED, CACHE_HITS, CACHE_MISSES, CACHE_FAILURES, PATTERNS, ADJUSTMENTS})
REPORTED = frozenset(
    {
        *(BREAKER, HEALTH, CACHE_BYTES, CONNECTIONS, CONNECTIONS_LIMIT, ORPHANS, METRIC_ROWS),
        *(AUDIT_LAG, AUDIT_CHECKPOINT_AGE),
    }
)
GAUGES = REPORTED | {MEMORY, LOOP_LAG, LEVEL, RELATIONSHIPS}

Labels = tuple[tuple[str, str], ...]


class Readings:
    """A meter that passes everything on to another, and remembers the little that rules and health ask for.

    So the server judges itself by the very numbers that Prometheus would judge it by.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._counters: Counter[tuple[str, Labels]] = Counter()
        self._gauges: dict[tuple[str, Labels], float] = {}

    def count(self, family: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        self._meter.count(family, amount, **labels)
        if family in COUNTERS:
            self._counters[family, tuple(labels.items())] += int(amount)

    def observe(self, family: str, value: float, **labels: str) -> None:
        """Add a value to a histogram; of the lag of the event loop the newest is remembered."""
        self._meter.observe(family, value, **labels)
        if family == LOOP_LAG:
            self._gauges[family, ()] = value

    def set(self, family: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._meter.set(family, value, **labels)
        if family in GAUGES:
            self._gauges[family, tuple(labels.items())] = value

    def total(self, family: str, **labels: str) -> int:
        """Add up a counter over the labels that are not given."""
        wanted = set(labels.items())
        return sum(count for (name, of), count in self._counters.items() if name == family and wanted <= set(of))

    def by(self, family: str, label: str) -> dict[str, float]:
        """Give a gauge by one of its labels; empty if it was never set."""
        return {dict(of)[label]: value for (name, of), value in self._gauges.items() if name == family}

    def value(self, family: str) -> float | None:
        """Give a gauge without labels; None if it was never set."""
        return self._gauges.get((family, ()))

    def gauges(self) -> list[Gauge]:
        """Give what other processes may know."""
        return [Gauge(name, dict(of), value) for (name, of), value in self._gauges.items() if name in REPORTED]
