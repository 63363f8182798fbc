"""Second names of families, as other documents and dashboards know them. Each shows the same counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Alias:
    name: str
    family: str
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels that this name calls otherwise."""


PREFIX = "recallbricks_"

ALIASES: tuple[Alias, ...] = (
    *(
        Alias(PREFIX + family, family)
        for family in (
            "http_request_duration_seconds",
            "http_requests_total",
            "http_request_errors_total",
            "db_query_duration_seconds",
            "db_queries_total",
            "db_connections_active",
            "memories_created_total",
            "memories_queried_total",
            "memory_operations_total",
            "relationship_detection_attempts_total",
            "relationship_detection_duration_seconds",
            "relationships_detected_total",
        )
    ),
    Alias(PREFIX + "circuit_breaker_state", "circuit_breaker_state", {"breaker_name": "name"}),
    Alias(PREFIX + "circuit_breaker_failures_total", "circuit_breaker_failures_total", {"breaker_name": "name"}),
    Alias(PREFIX + "rate_limit_hits_total", "rate_limit_rejects_total", {"limiter_type": "type"}),
    Alias("requests_total", "http_requests_total"),
    Alias("request_duration_seconds", "http_request_duration_seconds"),
    Alias("learning_patterns_total", "temporal_patterns_detected_total"),
)


def with_aliases(metrics: Iterable[Metric]) -> list[Metric]:
    """Give metrics and, after each, the same under its other names."""
    by_family: dict[str, list[Alias]] = {}
    for alias in ALIASES:
        by_family.setdefault(stem(alias.family), []).append(alias)
    return [one for metric in metrics for one in (metric, *(_named(metric, a) for a in by_family.get(metric.name, ())))]


def stem(name: str) -> str:
    """Give the name as the client library keeps it: it adds the `_total` of counters when it writes."""
    return name.removesuffix("_total")


def _named(metric: Metric, alias: Alias) -> Metric:
    named = Metric(stem(alias.name), metric.documentation, metric.type)
    named.samples = [
        Sample(
            named.name + sample.name[len(metric.name) :],
            {alias.renamed.get(label, label): value for label, value in sample.labels.items()},
            sample.value,
        )
        for sample in metric.samples
    ]
    return named
