"""Whether what was learned helps, judged on what it had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WINDOW = 200
"""The newest events that count: weights that stop to help are found out within as many."""
FEWEST = 20
DEVIATIONS = 2.0
"""Standard errors that the mean gain must lie above LEAST_GAIN: one in 44 by chance."""
LEAST_GAIN = 0.01
"""A gain of nDCG@10 that is worth serving other weights for. Random judgements hit the first ten now and then, seldom
enough to look like a gain that is certain and tiny."""
DEPTH = 10


def ranking_quality(scores: NDArray[np.float32], relevant: NDArray[np.intp]) -> float:
    """Give nDCG@10 with binary gains, in [0, 1]; `relevant` are places in `scores`, at least one.

    A relevant candidate comes after those that score the same.
    """
    ranks = np.array([(scores > scores[place]).sum() + (scores == scores[place]).sum() for place in relevant]) - 1.0
    gained = (1 / np.log2(ranks[ranks < DEPTH] + 2)).sum()
    ideal = (1 / np.log2(np.arange(min(len(relevant), DEPTH)) + 2)).sum()
    return float(gained / ideal)


def beats_prior(gains: Sequence[float]) -> bool:
    """Judge by what learned weights gained over the prior on events that they were not yet fitted to, oldest first.

    Prequential evaluation (Dawid 1984): each event is first predicted, then learned from. True if the mean of the
    newest WINDOW lies above LEAST_GAIN by DEVIATIONS standard errors; never with fewer than FEWEST.
    """
    newest = np.asarray(gains[-WINDOW:], dtype=np.float64)
    if len(newest) < FEWEST:
        return False
    error = newest.std(ddof=1) / np.sqrt(len(newest))
    return bool(newest.mean() - DEVIATIONS * error > LEAST_GAIN)
