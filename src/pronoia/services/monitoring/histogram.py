"""Durations in buckets, which can be added up over minutes and processes."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

R10 = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
"""Renard's preferred numbers: ten a decade, each at most 28 % above the one before."""
BOUNDS = tuple(round(step * 10.0**decade, 6) for decade in range(-3, 2) for step in R10)
"""Upper bounds of the buckets in seconds, from 1 ms to 80 s; the last bucket, without a bound, is one more."""
BUCKETS = len(BOUNDS) + 1


def bucket_of(seconds: float) -> int:
    """Give the bucket of a duration: the first whose bound is not below it."""
    return bisect_left(BOUNDS, seconds)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Give the duration that a share of all does not exceed, in seconds; None if there are none.

    It lies in the bucket where the share is reached, as far along as the share is, so it is wrong by less than the
    bucket is wide: 28 % at most. Beyond the last bound, it is that bound.
    """
    total = sum(counts)
    if not total:
        return None
    wanted = share * total
    reached = list(accumulate(counts))
    place = bisect_left(reached, wanted)
    if place >= len(BOUNDS):
        return BOUNDS[-1]
    low = BOUNDS[place - 1] if place else 0.0
    before = reached[place - 1] if place else 0
    return low + (BOUNDS[place] - low) * (wanted - before) / max(counts[place], 1)


def slower_than(counts: Sequence[int], seconds: float) -> int:
    """Count what took longer. Exact where `seconds` is a bound."""
    return sum(counts[bucket_of(seconds) + 1 :])
