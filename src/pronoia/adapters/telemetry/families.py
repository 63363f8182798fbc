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
    Family("rate_limit_rejects_total", Kind.COUNTER, "Requests that a limit refused.", ("limiter_type",)),
    Family("rate_limit_hits_total", Kind.COUNTER, "The same, by its other documented name.", ("type",)),
    Family("rate_limit_leases_total", Kind.COUNTER, "Blocks of budgets taken from the shared store."),
    Family("rate_limit_bursts_total", Kind.COUNTER, "Users whose requests came to cost twice after a burst."),
    Family("rate_limit_store_failures_total", Kind.COUNTER, "Times the shared store of limits did not answer."),
)
