from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pronoia.adapters.telemetry.aliases import with_aliases
from pronoia.adapters.telemetry.families import Family, Kind
from pronoia.ports.telemetry import Measured, MeasuredFamily

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pronoia.adapters.telemetry.meter import PrometheusMeter

MILLISECONDS = 1000
DERIVED = (
    Family(
        "avg_response_time_ms", Kind.GAUGE, "Mean time of an answer since the start; the histogram tells much more."
    ),
    Family(
        "prediction_accuracy",
        Kind.GAUGE,
        "Share of the predicted memories that were among the next ten used, since the start.",
    ),
)
"""What documents ask for and counts already tell: nobody sets it."""


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class PrometheusExposition:
    """Shows what the meter counted: what follows from it and the other names of families included.

    Rendering takes milliseconds, in a thread, one at a time however many ask.
    """

    def __init__(self, meter: PrometheusMeter) -> None:
        self._meter = meter
        self._turn = asyncio.Lock()

    async def text(self) -> bytes:
        """Give every series in Prometheus' text format, version 0.0.4."""
        async with self._turn:
            return await asyncio.to_thread(self.render)

    async def families(self) -> list[MeasuredFamily]:
        """Give the same as records."""
        async with self._turn:
            metrics = await asyncio.to_thread(self._collect)
        return [
            MeasuredFamily(
                metric.name if metric.type != "counter" else f"{metric.name}_total",
                metric.type,
                metric.documentation,
                [Measured(sample.name, dict(sample.labels), sample.value) for sample in metric.samples],
            )
            for metric in metrics
        ]

    def render(self) -> bytes:
        """Give the text at once."""
        return generate_latest(_Collected(self._collect()))

    def _collect(self) -> list[Metric]:
        metrics = sorted(self._meter.collect(), key=attrgetter("name"))
        for metric in metrics:
            # When a series began, which the client library adds, is a second family of each and of no use here.
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
        return with_aliases([*metrics, *_derived(metrics)])


def _derived(metrics: list[Metric]) -> list[Metric]:
    total = {metric.name: metric for metric in metrics}
    answers = total.get("http_request_duration_seconds")
    judged, used = total.get("answers_judged"), total.get("answers_used")
    values = (
        MILLISECONDS * _ratio(_sum(answers, "_sum"), _sum(answers, "_count")),
        _ratio(_sum(used, "_total", kind="prediction"), _sum(judged, "_total", kind="prediction")),
    )
    return [_gauge(family, value) for family, value in zip(DERIVED, values, strict=True)]


def _gauge(family: Family, value: float) -> Metric:
    metric = Metric(family.name, family.help, "gauge")
    metric.add_sample(family.name, {}, value)
    return metric


def _sum(metric: Metric | None, suffix: str, **labels: str) -> float:
    if metric is None:
        return 0.0
    return sum(
        sample.value
        for sample in metric.samples
        if sample.name == metric.name + suffix and labels.items() <= sample.labels.items()
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
