from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pronoia.adapters.telemetry.families import FAMILIES, Kind

if TYPE_CHECKING:
    from pronoia.adapters.telemetry.families import Family


class PrometheusMeter:
    """Keeps the series of this process, and renders them in Prometheus' text format."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for family in FAMILIES:
            self._add(family)

    def count(self, family: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter. An unknown family or label is a mistake of ours and raises."""
        series = self._counters[family]
        (series.labels(**labels) if labels else series).inc(amount)

    def observe(self, family: str, value: float, **labels: str) -> None:
        """Add a value to a histogram, likewise."""
        series = self._histograms[family]
        (series.labels(**labels) if labels else series).observe(value)

    def set(self, family: str, value: float, **labels: str) -> None:
        """Set a gauge, likewise."""
        series = self._gauges[family]
        (series.labels(**labels) if labels else series).set(value)

    def text(self) -> bytes:
        """Give every series as text."""
        return generate_latest(self._registry)

    def _add(self, family: Family) -> None:
        name, text, labels, registry = family.name, family.help, family.labels, self._registry
        match family.kind:
            case Kind.COUNTER:
                self._counters[name] = Counter(name, text, labels, registry=registry)
            case Kind.GAUGE:
                self._gauges[name] = Gauge(name, text, labels, registry=registry)
            case Kind.HISTOGRAM:
                self._histograms[name] = Histogram(name, text, labels, registry=registry, buckets=family.buckets)
