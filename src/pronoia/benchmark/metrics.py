"""Measures of a ranking, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

METRICS = ("R@5", "R@10", "R@20", "nDCG@10", "MRR", "hit@10")
RESAMPLES = 2_000
LOWER, UPPER = 2.5, 97.5
DEPTH = 10


def measure_ranking(places: Sequence[int], relevant: int) -> NDArray[np.float64]:
    """Give METRICS of one question, each in [0, 1]; (6,).

    `places` are where its relevant results came, counted from 0, those that were not returned left out; `relevant` is
    how many there are. R@k is the share of them in the first k, nDCG has binary gains (Jarvelin and Kekalainen 2002),
    MRR is one over the rank of the first.
    """
    at = np.sort(np.asarray(places, dtype=np.float64))
    gained = (1 / np.log2(at[at < DEPTH] + 2)).sum()
    ideal = (1 / np.log2(np.arange(min(relevant, DEPTH)) + 2)).sum()
    return np.array(
        [
            (at < 5).sum() / relevant,  # noqa: PLR2004  # the k of R@k
            (at < 10).sum() / relevant,  # noqa: PLR2004
            (at < 20).sum() / relevant,  # noqa: PLR2004
            gained / ideal,
            1 / (at[0] + 1) if len(at) else 0.0,
            float((at < DEPTH).any()),
        ]
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean in per cent and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def bootstrap(values: NDArray[np.float64], seed: int = 0) -> list[Interval]:
    """Resample questions 2,000 times: one interval a column of `values` (questions, metrics), in per cent.

    Given the difference of two rankers question by question, the interval is that of the paired difference.
    """
    generator = np.random.default_rng(seed)
    count = len(values)
    weights = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    means = weights @ values / count * 100
    low, high = np.percentile(means, [LOWER, UPPER], axis=0)
    return [
        Interval(float(mean), float(bottom), float(top))
        for mean, bottom, top in zip(values.mean(axis=0) * 100, low, high, strict=True)
    ]


def bootstrap_groups(values: NDArray[np.float64], groups: NDArray[np.int64], seed: int = 0) -> list[Interval]:
    """Resample whole groups, such as users, 2,000 times: what one of them asks is not independent.

    `values` is (steps, metrics), `groups` the number of each step's group, counted from 0. The mean is over steps.
    """
    generator = np.random.default_rng(seed)
    count = int(groups.max()) + 1
    sums = np.stack([np.bincount(groups, weights=column, minlength=count) for column in values.T], axis=1)
    sizes = np.bincount(groups, minlength=count)
    weights = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    means = weights @ sums / (weights @ sizes)[:, None] * 100
    low, high = np.percentile(means, [LOWER, UPPER], axis=0)
    return [
        Interval(float(mean), float(bottom), float(top))
        for mean, bottom, top in zip(values.mean(axis=0) * 100, low, high, strict=True)
    ]
