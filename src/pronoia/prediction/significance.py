"""Whether chance explains a count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NEGLIGIBLE = 1e-12


def binomial_tail(count: int, trials: int, chance: float) -> float:
    """Give P(X >= count) for X ~ Binomial(trials, chance)."""
    if count <= 0 or chance >= 1:
        return 1.0
    if count > trials or chance <= 0:
        return 0.0
    odds = chance / (1 - chance)
    term = math.exp(
        math.lgamma(trials + 1)
        - math.lgamma(count + 1)
        - math.lgamma(trials - count + 1)
        + count * math.log(chance)
        + (trials - count) * math.log1p(-chance)
    )
    total = term
    for reached in range(count, trials):
        term *= (trials - reached) / (reached + 1) * odds
        total += term
        if term < NEGLIGIBLE * total:
            break
    return min(total, 1.0)


def poisson_tail(count: int, mean: float) -> float:
    """Give P(X >= count) for X ~ Poisson(mean)."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    term = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    total, reached = term, count
    while term > NEGLIGIBLE * total or reached < mean:
        reached += 1
        term *= mean / reached
        total += term
    return min(total, 1.0)


def significant(p_values: Sequence[float], tests: int, rate: float) -> NDArray[np.bool_]:
    """Mark what holds with a false discovery rate of at most `rate` among `tests` tests; bool (n,).

    Benjamini and Hochberg (1995). Tests whose p-value is not given count as failed.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    passed = np.flatnonzero(values[order] <= rate * np.arange(1, len(values) + 1) / max(tests, 1))
    kept = np.zeros(len(values), dtype=np.bool_)
    if len(passed):
        kept[order[: passed[-1] + 1]] = True
    return kept
