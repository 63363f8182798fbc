"""Every series family that Pronoia exports. What is not here cannot be counted, drawn or alerted on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a duration's buckets, in seconds."""


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """`labels` never name a user, a tenant or a key: their number has no bound, and metrics are read by many."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = QUICK


FAMILIES: tuple[Family, ...] = (
    Family("cache_hits_total", Kind.COUNTER, "Answers found in a cache tier.", ("tier",)),
    Family("cache_misses_total", Kind.COUNTER, "Answers looked for in a cache tier in vain.", ("tier",)),
    Family("circuit_breaker_state", Kind.GAUGE, "0 closed, 1 half-open, 2 open.", ("breaker_name",)),
    Family("circuit_breaker_failures_total", Kind.COUNTER, "Failures that count for a breaker.", ("breaker_name",)),
    Family("bulkhead_in_use", Kind.GAUGE, "Places of a bulkhead that are in use.", ("bulkhead",)),
    Family("bulkhead_queued", Kind.GAUGE, "Callers that wait for a place.", ("bulkhead",)),
    Family("bulkhead_rejected_total", Kind.COUNTER, "Callers for whom there was no place.", ("bulkhead",)),
    Family("retries_total", Kind.COUNTER, "Retries that the budget granted or refused.", ("dependency", "outcome")),
    Family("saturation", Kind.GAUGE, "How full a resource is; 1 is full.", ("signal",)),
    Family("degradation_level", Kind.GAUGE, "0 normal, 1 high, 2 critical."),
    Family("degradation_changes_total", Kind.COUNTER, "Changes to a level.", ("level",)),
    Family("features_degraded_total", Kind.COUNTER, "Calls of a feature while it was off.", ("feature",)),
    Family("concurrency_limit", Kind.GAUGE, "Requests that are worked on side by side at most."),
    Family("requests_in_flight", Kind.GAUGE, "Requests that are worked on."),
    Family("requests_shed_total", Kind.COUNTER, "Requests turned away for want of room.", ("importance",)),
    Family("cache_size", Kind.GAUGE, "Answers in a cache tier.", ("tier",)),
    Family("cache_bytes", Kind.GAUGE, "Bytes of the answers in a cache tier.", ("tier",)),
    Family("cache_refreshes_total", Kind.COUNTER, "Answers renewed before they expired.", ("tier",)),
    Family("cache_failures_total", Kind.COUNTER, "Calls of a cache tier that failed or took too long.", ("tier",)),
)
