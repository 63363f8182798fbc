"""Measures the signals: each expert's estimate of who is next, as the logarithm of a smoothed share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pronoia.prediction.past_uses import (
    AFTER,
    AFTER_GAP,
    EXPERTS,
    HOUR,
    RECENT,
    SEASON_HALF_LIFE,
    sum_by_memory,
)
from pronoia.prediction.signals import HALF_LIVES, SIGNALS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.prediction.statistics import UseStatistics

SMALLEST_SHARE = 1e-4
SEASON = 1 + HALF_LIVES.index(SEASON_HALF_LIFE)
"""Place of the signal of what is usual these weeks."""
SUCCESSOR = SIGNALS.index("successor")
ALONE = SIGNALS.index("hour")
"""From here on shares are smoothed towards what is usual, before it towards the successor's."""


def measure(statistics: UseStatistics, at: float, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Give the signals of some memories at a moment, in the order of SIGNALS; float32 (len(SIGNALS), len(rows)).

    There must have been a use. A share is smoothed towards a broader one, so that an expert without evidence repeats
    what is known without it.
    """
    at = max(at, float(statistics.times[-1]))
    by_memory = sum_by_memory(statistics, at, rows).astype(np.float32)
    totals = by_memory.sum(axis=1, keepdims=True)
    sums = by_memory[:, :-1]
    measured = np.empty((len(SIGNALS), len(rows)), dtype=np.float32)
    shares = measured[: len(HALF_LIVES) + EXPERTS]
    frequency = np.divide(statistics.counts[rows], np.float32(statistics.uses), out=shares[0])
    decayed, decayed_totals = statistics.decayed(at, rows)
    shares[1:SUCCESSOR] = _smoothed(decayed.T, decayed_totals[:, None], 1, frequency)
    base = (_smoothed(sums[RECENT], totals[RECENT], 0.5, frequency) + shares[SEASON]) * np.float32(0.5)
    shares[SUCCESSOR] = _smoothed(sums[AFTER], totals[AFTER], 2, base)
    shares[SUCCESSOR + 1 : ALONE] = _smoothed(sums[AFTER_GAP:HOUR], totals[AFTER_GAP:HOUR], 1, shares[SUCCESSOR])
    shares[ALONE:] = _smoothed(sums[HOUR:], totals[HOUR:], 2, base)
    shares += np.float32(SMALLEST_SHARE)
    np.log(shares, out=shares)
    _measure_forms(statistics, at, rows, measured[len(shares) :])
    return measured


def _measure_forms(statistics: UseStatistics, at: float, rows: NDArray[np.intp], forms: NDArray[np.float32]) -> None:
    """Write what is no share: rank and age, whether it was used but once, and how it keeps its rhythm."""
    ranks = statistics.ranks[rows]
    once = statistics.counts[rows] == 1
    seconds = (at - statistics.last_times[rows]).astype(np.float32)
    spread = np.sqrt(statistics.rhythm_variances[rows] + 0.5)
    late = (np.log(seconds + 1) - statistics.rhythms[rows]) / spread
    np.maximum(late, -3, out=late)
    np.minimum(late, 3, out=late)
    late[once] = 0
    np.negative(np.log(ranks + 1), out=forms[0])
    forms[1] = np.log(seconds + 60) / -3
    forms[2] = ranks == 0
    forms[3] = ranks == 1
    forms[4] = once
    forms[5] = forms[2] * once
    forms[6] = forms[0] * once
    forms[7] = late / 2
    np.multiply(forms[7], forms[7], out=forms[8])


def _smoothed(
    sums: NDArray[np.float32], totals: NDArray[np.float32], strength: float, base: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Give shares of totals that begin at `base`, and move from it as the totals grow beyond `strength`."""
    weight = np.float32(strength)
    return np.divide(sums + weight * base, totals + weight, dtype=np.float32)
