from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pronoia.adapters.telemetry.families import FAMILIES, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

    from pronoia.adapters.telemetry.families import Family
    from pronoia.adapters.telemetry.workers import WorkersFolder


class PrometheusMeter:
    """Counts in this process; with a folder, beside the other workers of the server."""

    def __init__(self, folder: WorkersFolder | None = None) -> None:
        self._folder = folder
        self._registry = CollectorRegistry()
        self._families: dict[str, Any] = {family.name: self._made(family) for family in FAMILIES}
        # Finding a series by its labels takes the client library longer than counting.
        self._series: dict[tuple[object, ...], Any] = {}

    def count(self, family: str, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter. An unknown family or label is a mistake of ours and raises."""
        self._find(family, labels).inc(amount)

    def observe(self, family: str, value: float, **labels: str) -> None:
        """Add a value to a histogram, likewise."""
        self._find(family, labels).observe(value)

    def set(self, family: str, value: float, **labels: str) -> None:
        """Set a gauge, likewise."""
        self._find(family, labels).set(value)

    def collect(self) -> Iterable[Metric]:
        """Give every family that has series, of all workers. Takes milliseconds; any thread may ask."""
        return self._registry.collect() if self._folder is None else self._folder.collect()

    def _find(self, family: str, labels: dict[str, str]) -> Any:  # noqa: ANN401 - one of the client's three kinds
        key = (family, *labels, *labels.values())
        series = self._series.get(key)
        if series is None:
            series = self._families[family]
            if labels:
                series = series.labels(**labels)
            self._series[key] = series
        return series

    def _made(self, family: Family) -> Counter | Gauge | Histogram:
        name, text, labels, registry = family.name, family.help, family.labels, self._registry
        match family.kind:
            case Kind.COUNTER:
                return Counter(name, text, labels, registry=registry)
            case Kind.GAUGE:
                return Gauge(name, text, labels, registry=registry, multiprocess_mode=family.across.value)
            case Kind.HISTOGRAM:
                return Histogram(name, text, labels, registry=registry, buckets=family.buckets)
