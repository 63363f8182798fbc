"""What the last uses say: each expert weighs them by what they have in common with now, and adds up by memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

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
FARTHEST = np.float32(-40)
"""Least logarithm of a kernel. Products of kernels must not underflow: processors are slow on what is left."""
SEASON_HALF_LIFE = 30 * DAY
WEEKEND = 5 * DAY
"""When it begins, in seconds of the week."""

RECENT: Final = 0
AFTER: Final = 1
AFTER_GAP, AFTER_TWO, AFTER_AT_HOUR, AFTER_AT_TIME_OF_WEEK = 2, 3, 4, 5
HOUR, QUARTER_HOUR, KIND_OF_DAY, TIME_OF_WEEK, GAP = 6, 7, 8, 9, 10
AFTER_BUT_ONE, TOGETHER = 11, 12
EXPERTS: Final = 13
"""The experts, and how many there are: rows of the sums."""

SUCCESSIONS = np.array((AFTER, AFTER_GAP, AFTER_TWO, AFTER_AT_HOUR, AFTER_AT_TIME_OF_WEEK))[:, None]
STEPS = np.array((1, 2, -2, -3, -4))[:, None]
WORTH = np.array((1 / 2, 1 / 3, 1, 1 / 2, 1 / 3))[:, None]
"""Uses near those that followed the last memory's earlier ones, and what they count as together with it."""
RECENCY = np.exp2(np.arange(1 - LONGEST_MEMORY, 1) / RECENT_USES).astype(np.float32)
"""Weights of the last uses by their position alone."""


def sum_by_memory(statistics: UseStatistics, at: float, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Add up what each expert makes of the last uses, by the memory that was used; (EXPERTS, len(rows) + 1).

    The last column is of all memories that are not in `rows`.
    """
    columns = np.full(statistics.memories, len(rows))
    columns[rows] = np.arange(len(rows))
    items = statistics.items[-LONGEST_MEMORY:]
    owners = columns[items]
    kernels = _Kernels(statistics, at)
    sums = _sum_successions(items, owners, len(rows) + 1, kernels)
    for expert, weights in (
        (RECENT, RECENCY[LONGEST_MEMORY - len(items) :]),
        (HOUR, kernels.hour * kernels.season),
        (QUARTER_HOUR, kernels.quarter_hour),
        (KIND_OF_DAY, kernels.hour * kernels.same_kind_of_day),
        (TIME_OF_WEEK, kernels.time_of_week * kernels.season),
        (GAP, kernels.gap),
    ):
        sums[expert] = np.bincount(owners, weights, len(rows) + 1)
    return sums


class _Kernels:
    """How near the last uses are to now, in (0, 1]; (uses,) each. `gaps` are differences of their logarithms."""

    def __init__(self, statistics: UseStatistics, at: float) -> None:
        times = statistics.times[-LONGEST_MEMORY:]
        of_week = statistics.times_of_week[-LONGEST_MEMORY:]
        now = np.float32(statistics.local(at) % WEEK)
        from_hour = _around(statistics.times_of_day[-LONGEST_MEMORY:], now % np.float32(DAY), DAY)
        from_week = _around(of_week, now, WEEK)
        self.gaps = statistics.log_gaps[-LONGEST_MEMORY:] - np.float32(np.log1p(at - times[-1]))
        exponents = np.empty((5, len(times)), dtype=np.float32)
        exponents[0] = times - at
        exponents[0] *= np.float32(np.log(2) / SEASON_HALF_LIFE)
        distances = exponents[1:]
        np.multiply(from_hour, np.float32(1 / HOUR_WIDTH), out=distances[0])
        np.multiply(from_hour, np.float32(1 / QUARTER_HOUR_WIDTH), out=distances[1])
        np.multiply(from_week, np.float32(1 / HOUR_WIDTH), out=distances[2])
        np.multiply(self.gaps, np.float32(1 / GAP_WIDTH), out=distances[3])
        distances *= distances
        distances *= np.float32(-0.5)
        np.maximum(exponents, FARTHEST, out=exponents)
        np.exp(exponents, out=exponents)
        self.season, self.hour, self.quarter_hour, self.time_of_week, self.gap = exponents
        self.same_kind_of_day = (of_week >= WEEKEND) == bool(now >= WEEKEND)


def _sum_successions(
    items: NDArray[np.int32], owners: NDArray[np.intp], columns: int, kernels: _Kernels
) -> NDArray[np.float64]:
    """Add up what came after earlier uses of the last memory, or near them; the other experts' rows are 0."""
    uses = len(items)
    after = (items[:-1] == items[-1]).nonzero()[0] + 1
    after_but_one = (items[:-2] == items[-2]).nonzero()[0] + 2 if uses > 1 else after
    near = STEPS + after
    outside = (near < 0) | (near >= uses)
    weights = np.ones((len(SUCCESSIONS), len(after)))
    weights[1] = np.exp((kernels.gaps[after] / SUCCESSION_GAP_WIDTH) ** 2 * -0.5)
    weights[2] = (after > 1) & (items[after - 2] == items[-2]) if uses > 1 else 0
    weights[3] = kernels.hour[after]
    weights[4] = kernels.time_of_week[after]
    places = np.concatenate(
        (
            (owners[after] + columns * SUCCESSIONS).ravel(),
            owners[after_but_one] + columns * AFTER_BUT_ONE,
            owners[np.where(outside, 0, near)].ravel() + columns * TOGETHER,
        )
    )
    worths = np.concatenate((weights.ravel(), np.ones(len(after_but_one)), np.where(outside, 0, WORTH).ravel()))
    # Of nothing at all, NumPy makes whole numbers.
    sums: NDArray[np.float64] = np.bincount(places, worths, EXPERTS * columns).astype(np.float64, copy=False)
    return sums.reshape(EXPERTS, columns)


def _around(times: NDArray[np.float32], now: np.float32, period: float) -> NDArray[np.float32]:
    """Give how far times are from now on a circle of `period` seconds."""
    away = np.abs(times - now)
    return np.minimum(away, np.float32(period) - away)
