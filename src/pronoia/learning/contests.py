"""Weights of a linear ranker from contests: a memory that won, and those it won against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAXIMUM_STEPS = 30
SMALLEST_GAIN = 1e-9
SHORTEST_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Contest:
    """One winner against m losers."""

    differences: NDArray[np.float32]
    """The losers' standardised signals minus the winner's; (m, k), m > 0."""
    strength: float
    """How many contests it counts for."""


def fit_contests(
    contests: Sequence[Contest], penalty: float, towards: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit weights (k,) under which winners score above losers.

    Minimises the sum over contests of strength * log(1 + sum exp(differences @ w)), plus penalty / 2 *
    |w - towards|^2, by Newton's method with backtracking. With one loser that is pairwise logistic regression (Bradley
    and Terry 1952), with several the first choice of Plackett and Luce, which cares for the strongest loser most. The
    loss is convex: the outcome does not depend on the start. `penalty` is in contests: so many weigh as much as it.
    """
    longest = max(len(contest.differences) for contest in contests)
    size = len(towards)
    differences = np.zeros((len(contests), longest, size), dtype=np.float32)
    there = np.zeros((len(contests), longest), dtype=np.bool_)
    for at, contest in enumerate(contests):
        differences[at, : len(contest.differences)] = contest.differences
        there[at, : len(contest.differences)] = True
    strengths = np.array([contest.strength for contest in contests])

    def loss_and_chances(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        leads = np.where(there, (differences @ weights.astype(np.float32)).astype(np.float64), -np.inf)
        highest = np.maximum(leads.max(axis=1), 0)
        odds = np.exp(leads - highest[:, None])
        total = odds.sum(axis=1) + np.exp(-highest)
        moved = weights - towards
        loss = float(strengths @ (highest + np.log(total))) + penalty / 2 * float(moved @ moved)
        return loss, odds / total[:, None]

    weights = start.copy()
    loss, chances = loss_and_chances(weights)
    for _ in range(MAXIMUM_STEPS):
        direction = _newton_direction(differences, strengths, chances, penalty, weights - towards)
        step = 1.0
        reached, next_chances = loss_and_chances(weights - step * direction)
        while reached > loss and step > SHORTEST_STEP:
            step /= 2
            reached, next_chances = loss_and_chances(weights - step * direction)
        if loss - reached < SMALLEST_GAIN:
            break
        weights = weights - step * direction
        loss, chances = reached, next_chances
    return weights


def _newton_direction(
    differences: NDArray[np.float32],
    strengths: NDArray[np.float64],
    chances: NDArray[np.float64],
    penalty: float,
    moved: NDArray[np.float64],
) -> NDArray[np.float64]:
    size = differences.shape[2]
    flat = differences.reshape(-1, size)
    weighed = (chances * strengths[:, None]).reshape(-1, 1).astype(np.float32) * flat
    expected: NDArray[np.float64] = np.einsum("nl,nlk->nk", chances, differences)
    gradient = strengths @ expected + penalty * moved
    curvature = penalty * np.eye(size)
    curvature += (flat.T @ weighed).astype(np.float64) - (expected * strengths[:, None]).T @ expected
    return np.linalg.solve(curvature, gradient).astype(np.float64, copy=False)
