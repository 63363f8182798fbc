"""Weights of a linear ranker from choices: for each question, which of its candidates were right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAXIMUM_STEPS = 50
SMALLEST_GAIN = 1e-9
SHORTEST_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Choice:
    """One question: the standardised signals of its candidates, float32 (m, k), and the places of the right ones."""

    candidates: NDArray[np.float32]
    right: NDArray[np.intp]


def fit_choices(
    choices: Sequence[Choice], penalty: float, towards: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Fit weights (k,) that give the right candidates a high probability: conditional (multinomial) logit.

    Minimises the mean over choices of -log softmax(candidates @ w)[right], averaged over the right ones, plus
    penalty / 2 * |w - towards|^2 (McFadden 1974; listwise ranking as in Cao et al. 2007), by Newton's method with
    backtracking. The loss is convex: the outcome does not depend on the start. Raises ValueError without choices.
    """
    if not choices:
        raise ValueError("There is nothing to fit: not one choice was given.")
    size = choices[0].candidates.shape[1]
    origin = np.zeros(size) if towards is None else towards
    weights = origin.copy()
    loss = _loss(choices, weights, penalty, origin)
    for _ in range(MAXIMUM_STEPS):
        gradient, curvature = _derivatives(choices, weights, penalty, origin)
        direction = np.linalg.solve(curvature, gradient)
        step = 1.0
        while (reached := _loss(choices, weights - step * direction, penalty, origin)) > loss and step > SHORTEST_STEP:
            step /= 2
        if loss - reached < SMALLEST_GAIN:
            break
        weights = weights - step * direction
        loss = reached
    return weights


def _loss(
    choices: Sequence[Choice], weights: NDArray[np.float64], penalty: float, origin: NDArray[np.float64]
) -> float:
    total = 0.0
    for choice in choices:
        scores = choice.candidates @ weights
        highest = scores.max()
        total += float(highest + np.log(np.exp(scores - highest).sum()) - scores[choice.right].mean())
    moved = weights - origin
    return total / len(choices) + penalty / 2 * float(moved @ moved)


def _derivatives(
    choices: Sequence[Choice], weights: NDArray[np.float64], penalty: float, origin: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    gradient = penalty * (weights - origin)
    curvature = penalty * np.eye(len(weights))
    for choice in choices:
        scores = choice.candidates @ weights
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        expected = chances @ choice.candidates
        spread = (choice.candidates * chances[:, None]).T @ choice.candidates - np.outer(expected, expected)
        gradient = gradient + (expected - choice.candidates[choice.right].mean(axis=0)) / len(choices)
        curvature += spread / len(choices)
    return gradient, curvature


def fit_logistic(
    evidence: NDArray[np.float64], answered: NDArray[np.bool_], penalty: float = 1e-4
) -> NDArray[np.float64]:
    """Fit log-odds intercept + evidence @ w; (1 + k,), the intercept first and free of the penalty.

    Both outcomes weigh the same in sum, however many of each there are: the odds are those of a fair guess.
    """
    columns = np.empty((len(evidence), 1 + evidence.shape[1]))
    columns[:, 0] = 1
    columns[:, 1:] = evidence
    shares = np.where(answered, 0.5 / max(int(answered.sum()), 1), 0.5 / max(int((~answered).sum()), 1))
    ridge = penalty * np.eye(columns.shape[1])
    ridge[0, 0] = 0
    fitted = np.zeros(columns.shape[1])
    for _ in range(MAXIMUM_STEPS):
        chances = 1 / (1 + np.exp(-columns @ fitted))
        gradient = columns.T @ (shares * (chances - answered)) + ridge @ fitted
        curvature = (columns * (shares * chances * (1 - chances))[:, None]).T @ columns + ridge
        step = np.linalg.solve(curvature, gradient)
        fitted = fitted - step
        if float(np.abs(step).max()) < SMALLEST_GAIN:
            break
    return fitted
