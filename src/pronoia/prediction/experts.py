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
WEEKEND = 5
TOGETHER = ((2, 0.5), (3, 1 / 3), (-1, 1.0), (-2, 0.5), (-3, 1 / 3))
"""Uses after the last memory's earlier ones (before them, if negative), and what they count."""
WEIGHED = 13
"""Experts that weigh past uses, one row each; see _weigh_uses."""


def measure(statistics: UseStatistics, at: float, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Give the signals of some memories at a moment, in the order of SIGNALS; float32 (len(SIGNALS), len(rows)).

    There must have been a use. A share is smoothed towards a broader one, so that an expert without evidence repeats
    what is known without it.
    """
    at = max(at, float(statistics.times[-1]))
    weights = _weigh_uses(statistics, at)
    sums = _sum_by_memory(weights, statistics.items[-weights.shape[1] :], statistics.memories)[:, rows]
    totals = weights.sum(axis=1)[:, None]
    frequency = (statistics.counts[rows] / np.float32(statistics.uses)).astype(np.float32)
    decayed = statistics.decayed(at)
    decayed_shares = _smoothed(decayed[rows].T, decayed.sum(axis=0)[:, None], 1, frequency)
    recent = _smoothed(sums[0], totals[0], 0.5, frequency)
    base = 0.5 * (recent + decayed_shares[HALF_LIVES.index(SEASON_HALF_LIFE)])
    successor = _smoothed(sums[1], totals[1], 2, base)
    measured = np.empty((len(SIGNALS), len(rows)), dtype=np.float32)
    shares = measured[: 1 + len(HALF_LIVES) + WEIGHED - 1]
    shares[0] = frequency
    shares[1:7] = decayed_shares
    shares[7] = successor
    shares[8:12] = _smoothed(sums[2:6], totals[2:6], 1, successor)
    shares[12:] = _smoothed(sums[6:], totals[6:], 2, base)
    np.log(shares + np.float32(SMALLEST_SHARE), out=shares)
    measured[len(shares) :] = _forms(statistics, at, rows)
    return measured


def _weigh_uses(statistics: UseStatistics, at: float) -> NDArray[np.float32]:
    """Weigh the last uses once for each expert, by what they have in common with now; (WEIGHED, uses)."""
    items = statistics.items[-LONGEST_MEMORY:]
    times = statistics.times[-LONGEST_MEMORY:]
    ages = at - times
    gaps = statistics.log_gaps[-LONGEST_MEMORY:] - np.float32(np.log1p(at - times[-1]))
    of_day, of_week = _around(ages, DAY), _around(ages, WEEK)
    exponents = np.empty((7, len(items)), dtype=np.float32)
    exponents[0] = np.arange(1 - len(items), 1) * np.float32(np.log(2) / RECENT_USES)
    exponents[1] = ages * (-np.log(2) / SEASON_HALF_LIFE)
    exponents[2] = (of_day / np.float32(HOUR_WIDTH)) ** 2 * np.float32(-0.5)
    exponents[3] = (of_day / np.float32(QUARTER_HOUR_WIDTH)) ** 2 * np.float32(-0.5)
    exponents[4] = (of_week / np.float32(HOUR_WIDTH)) ** 2 * np.float32(-0.5)
    exponents[5] = (gaps / np.float32(GAP_WIDTH)) ** 2 * np.float32(-0.5)
    exponents[6] = (gaps / np.float32(SUCCESSION_GAP_WIDTH)) ** 2 * np.float32(-0.5)
    recent, season, hour, quarter_hour, time_of_week, gap, succession_gap = np.exp(exponents)
    was_last = (items == items[-1]).astype(np.float32)
    was_last[-1] = 0
    follows = _moved(was_last, 1)
    follows_but_one = _moved((items == items[-2]).astype(np.float32), 2) if len(items) > 1 else np.zeros_like(follows)
    weights = np.empty((WEIGHED, len(items)), dtype=np.float32)
    weights[0] = recent
    weights[1] = follows
    weights[2] = follows * succession_gap
    weights[3] = follows * follows_but_one
    weights[4] = follows * hour
    weights[5] = follows * time_of_week
    weights[6] = hour * season
    weights[7] = quarter_hour
    weights[8] = hour * _same_kind_of_day(statistics, times, at)
    weights[9] = time_of_week * season
    weights[10] = gap
    weights[11] = follows_but_one
    weights[12] = sum(_moved(was_last, steps) * np.float32(worth) for steps, worth in TOGETHER)
    return weights


def _sum_by_memory(weights: NDArray[np.float32], items: NDArray[np.int32], memories: int) -> NDArray[np.float64]:
    """Add up each row of weights by the memory that was used; (rows, memories)."""
    count = len(weights)
    places = (items[None, :] + memories * np.arange(count)[:, None]).ravel()
    sums: NDArray[np.float64] = np.bincount(places, weights.ravel(), count * memories).astype(np.float64, copy=False)
    return sums.reshape(count, memories)


def _forms(statistics: UseStatistics, at: float, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Give what is no share: rank and age, whether it was used but once, and how it keeps its rhythm."""
    ranks = np.empty(statistics.memories, dtype=np.float32)
    ranks[np.argsort(-statistics.last_positions)] = np.arange(statistics.memories)
    ranks = ranks[rows]
    once = (statistics.counts[rows] == 1).astype(np.float32)
    log_rank = -np.log1p(ranks)
    seconds = at - statistics.last_times[rows]
    spread = np.sqrt(statistics.rhythm_variances[rows] + 0.5)
    late = np.clip((np.log1p(seconds) - statistics.rhythms[rows]) / spread, -3, 3) * (1 - once)
    is_last = ranks == 0
    return np.stack(
        (
            log_rank,
            -np.log(seconds + 60) / 3,
            is_last,
            ranks == 1,
            once,
            once * is_last,
            once * log_rank,
            late / 2,
            late**2 / 4,
        )
    ).astype(np.float32)


def _around(ages: NDArray[np.float64], period: float) -> NDArray[np.float32]:
    """Give how far times are from now on a circle of `period` seconds."""
    away = (ages % period).astype(np.float32)
    return np.minimum(away, np.float32(period) - away)


def _same_kind_of_day(statistics: UseStatistics, times: NDArray[np.float64], at: float) -> NDArray[np.bool_]:
    """Say which uses were on a weekday if this is one, or on a weekend."""
    days = (statistics.local(times) % WEEK) >= WEEKEND * DAY
    return days == bool(statistics.local(np.array([at]))[0] % WEEK >= WEEKEND * DAY)


def _moved(marks: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Move marks so many uses later; earlier, if negative."""
    moved = np.zeros_like(marks)
    if steps > 0:
        moved[steps:] = marks[:-steps]
    else:
        moved[:steps] = marks[-steps:]
    return moved


def _smoothed(
    sums: NDArray[np.float64],
    totals: NDArray[np.float64] | NDArray[np.float32],
    strength: float,
    base: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Give shares of totals that begin at `base`, and move from it as the totals grow beyond `strength`."""
    return ((sums + strength * base) / (totals + strength)).astype(np.float32)
