"""Measures the signals: each expert's estimate of who is next, as the logarithm of a smoothed share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pronoia.prediction.signals import HALF_LIVES, SIGNALS
from pronoia.prediction.statistics import DAY, WEEK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.prediction.statistics import UseStatistics

LONGEST_MEMORY = 2_048
"""Uses that successions and times of day are read from; older ones change little."""
RECENT_USES = 32.0
HOUR_WIDTH = 5_400.0
QUARTER_HOUR_WIDTH = 1_800.0
"""Widths of the kernels around a time of day or week, in seconds."""
GAP_WIDTH = 0.5
SUCCESSION_GAP_WIDTH = 0.7
"""Widths of the kernels around a gap, in units of its logarithm."""
SEASON_HALF_LIFE = 30 * DAY
SMALLEST_SHARE = 1e-4
WEEKEND = 5 * DAY
"""When it begins, in seconds of the week."""
TOGETHER = ((1, 0.5), (2, 1 / 3), (-2, 1.0), (-3, 0.5), (-4, 1 / 3))
"""Uses after those that followed the last memory (before them, if negative), and what they count."""
RECENCY = np.exp2(np.arange(1 - LONGEST_MEMORY, 1) / RECENT_USES).astype(np.float32)
"""Weights of the last uses by their position alone."""
BY_TIME = np.array((0, 6, 7, 8, 9, 10))
"""Places, among the sums, of the experts that weigh all of the last uses; see _weigh_by_time."""
EXPERTS = 13
"""Those that weigh past uses: a row each of the sums by memory."""


def measure(statistics: UseStatistics, at: float, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Give the signals of some memories at a moment, in the order of SIGNALS; float32 (len(SIGNALS), len(rows)).

    There must have been a use. A share is smoothed towards a broader one, so that an expert without evidence repeats
    what is known without it.
    """
    at = max(at, float(statistics.times[-1]))
    by_memory = _sum_by_memory(statistics, at)
    totals = by_memory.sum(axis=1)[:, None]
    sums = by_memory.take(rows, axis=1)
    frequency = (statistics.counts[rows] / np.float32(statistics.uses)).astype(np.float32)
    decayed_shares = _smoothed(statistics.decayed(at, rows).T, statistics.decayed_totals(at)[:, None], 1, frequency)
    recent = _smoothed(sums[0], totals[0], 0.5, frequency)
    base = 0.5 * (recent + decayed_shares[HALF_LIVES.index(SEASON_HALF_LIFE)])
    successor = _smoothed(sums[1], totals[1], 2, base)
    measured = np.empty((len(SIGNALS), len(rows)), dtype=np.float32)
    shares = measured[: 1 + len(HALF_LIVES) + EXPERTS - 1]
    shares[0] = frequency
    shares[1:7] = decayed_shares
    shares[7] = successor
    shares[8:12] = _smoothed(sums[2:6], totals[2:6], 1, successor)
    shares[12:] = _smoothed(sums[6:], totals[6:], 2, base)
    np.log(shares + np.float32(SMALLEST_SHARE), out=shares)
    _measure_forms(statistics, at, rows, measured[len(shares) :])
    return measured


def _sum_by_memory(statistics: UseStatistics, at: float) -> NDArray[np.float64]:
    """Add up what each expert makes of the last uses, by the memory that was used; (EXPERTS, memories).

    All are added up in one pass: most of the time goes to the calls, not to the numbers.
    """
    items, memories = statistics.items[-LONGEST_MEMORY:], statistics.memories
    kernels = _Kernels(statistics, at)
    places, experts, worths = _weigh_successions(items, kernels)
    weights = np.concatenate((_weigh_by_time(kernels).ravel(), worths))
    owners = np.concatenate(((items + memories * BY_TIME[:, None]).ravel(), items[places] + memories * experts))
    sums: NDArray[np.float64] = np.bincount(owners, weights, EXPERTS * memories)
    return sums.reshape(EXPERTS, memories)


class _Kernels:
    """How near the last uses are to now, in (0, 1]; (uses,) each."""

    def __init__(self, statistics: UseStatistics, at: float) -> None:
        times = statistics.times[-LONGEST_MEMORY:]
        of_week = statistics.times_of_week[-LONGEST_MEMORY:]
        now = np.float32(statistics.local(at) % WEEK)
        from_hour = _around(statistics.times_of_day[-LONGEST_MEMORY:], now % np.float32(DAY), DAY)
        from_week = _around(of_week, now, WEEK)
        gaps = statistics.log_gaps[-LONGEST_MEMORY:] - np.float32(np.log1p(at - times[-1]))
        exponents = np.empty((6, len(times)), dtype=np.float32)
        np.multiply(times - at, np.log(2) / SEASON_HALF_LIFE, out=exponents[0], casting="same_kind")
        np.square(from_hour * np.float32(1 / HOUR_WIDTH), out=exponents[1])
        np.square(from_hour * np.float32(1 / QUARTER_HOUR_WIDTH), out=exponents[2])
        np.square(from_week * np.float32(1 / HOUR_WIDTH), out=exponents[3])
        np.square(gaps * np.float32(1 / GAP_WIDTH), out=exponents[4])
        np.square(gaps * np.float32(1 / SUCCESSION_GAP_WIDTH), out=exponents[5])
        exponents[1:] *= np.float32(-0.5)
        np.exp(exponents, out=exponents)
        self.season, self.hour, self.quarter_hour, self.time_of_week, self.gap, self.succession_gap = exponents
        self.same_kind_of_day = (of_week >= WEEKEND) == bool(now >= WEEKEND)


def _weigh_by_time(kernels: _Kernels) -> NDArray[np.float32]:
    """Weigh every use by when it was; (len(BY_TIME), uses)."""
    uses = len(kernels.season)
    weights = np.empty((len(BY_TIME), uses), dtype=np.float32)
    weights[0] = RECENCY[LONGEST_MEMORY - uses :]
    np.multiply(kernels.hour, kernels.season, out=weights[1])
    weights[2] = kernels.quarter_hour
    np.multiply(kernels.hour, kernels.same_kind_of_day, out=weights[3])
    np.multiply(kernels.time_of_week, kernels.season, out=weights[4])
    weights[5] = kernels.gap
    return weights


def _weigh_successions(
    items: NDArray[np.int32], kernels: _Kernels
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Weigh the uses that came after, or near, earlier ones of the last memory.

    Gives positions of uses, the expert that weighs each, and the weight; all of the same length.
    """
    after = np.flatnonzero(items[:-1] == items[-1]) + 1
    after_but_one = np.flatnonzero(items[:-2] == items[-2]) + 2 if len(items) > 1 else after[:0]
    ones = np.ones(len(after), dtype=np.float32)
    of_two = ((after > 1) & (items[after - 2] == items[-2])) if len(after) else ones
    weighed = [
        (1, after, ones),
        (2, after, kernels.succession_gap[after]),
        (3, after, of_two),
        (4, after, kernels.hour[after]),
        (5, after, kernels.time_of_week[after]),
        (11, after_but_one, np.ones(len(after_but_one), dtype=np.float32)),
    ]
    for steps, worth in TOGETHER:
        near = after + steps
        near = near[(near >= 0) & (near < len(items))]
        weighed.append((12, near, np.full(len(near), worth, dtype=np.float32)))
    return (
        np.concatenate([places for _, places, _ in weighed]),
        np.repeat([expert for expert, _, _ in weighed], [len(places) for _, places, _ in weighed]),
        np.concatenate([worths for _, _, worths in weighed]),
    )


def _measure_forms(
    statistics: UseStatistics, at: float, rows: NDArray[np.intp], forms: NDArray[np.float32]
) -> None:
    """Write what is no share: rank and age, whether it was used but once, and how it keeps its rhythm."""
    ranks = np.empty(statistics.memories, dtype=np.float32)
    ranks[np.argsort(-statistics.last_positions)] = np.arange(statistics.memories)
    ranks = ranks[rows]
    once = statistics.counts[rows] == 1
    seconds = at - statistics.last_times[rows]
    spread = np.sqrt(statistics.rhythm_variances[rows] + 0.5)
    late = np.clip((np.log1p(seconds) - statistics.rhythms[rows]) / spread, -3, 3) * ~once
    np.negative(np.log1p(ranks), out=forms[0])
    forms[1] = np.log(seconds + 60) / -3
    forms[2] = ranks == 0
    forms[3] = ranks == 1
    forms[4] = once
    forms[5] = forms[2] * once
    forms[6] = forms[0] * once
    forms[7] = late / 2
    forms[8] = forms[7] ** 2


def _around(times: NDArray[np.float32], now: np.float32, period: float) -> NDArray[np.float32]:
    """Give how far times are from now on a circle of `period` seconds."""
    away = np.abs(times - now)
    return np.minimum(away, np.float32(period) - away)


def _smoothed(
    sums: NDArray[np.float64],
    totals: NDArray[np.float64] | NDArray[np.float32],
    strength: float,
    base: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Give shares of totals that begin at `base`, and move from it as the totals grow beyond `strength`."""
    return ((sums + strength * base) / (totals + strength)).astype(np.float32)
