"""From what the blend believes to a probability that holds, learned from which predictions came true."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

AHEAD: Final = 10
"""Uses within which a prediction comes true."""
KNOTS: Final = (-6.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0)
"""Beliefs, in log-odds, between which the confidence's log-odds are linear."""
CIRCUMSTANCES: Final = ("place", "uses", "memories")
"""What moves a confidence beside the belief: logarithms of the place in the ranking, of the uses and the memories."""
PARAMETERS: Final = len(KNOTS) + len(CIRCUMSTANCES)

_knots = np.array(KNOTS)


def beliefs(next_probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give the log-odds of a use within AHEAD independent draws: p' = 1 - (1 - p)^AHEAD."""
    missed = AHEAD * np.log1p(-next_probabilities.astype(np.float64).clip(1e-9, 1 - 1e-9))
    return np.log(-np.expm1(missed)) - missed


def describe(
    next_probabilities: NDArray[np.float32], places: NDArray[np.intp], *, uses: int, memories: int
) -> NDArray[np.float64]:
    """Describe predictions to the calibration; (predictions, PARAMETERS).

    `next_probabilities` are those of the predicted memories, `places` where they rank among all, the likeliest at 0.
    """
    believed = beliefs(next_probabilities).clip(KNOTS[0], KNOTS[-1])
    upper = _knots[1:-1].searchsorted(believed) + 1
    share = (believed - _knots[upper - 1]) / (_knots[upper] - _knots[upper - 1])
    described = np.zeros((len(places), PARAMETERS))
    rows = np.arange(len(places))
    described[rows, upper - 1] = 1 - share
    described[rows, upper] = share
    described[:, len(KNOTS)] = np.log1p(places) / 2
    described[:, len(KNOTS) + 1] = math.log1p(uses) / 5
    described[:, len(KNOTS) + 2] = math.log1p(memories) / 5
    return described


def confidences(described: NDArray[np.float64], parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the probability that each prediction comes true within AHEAD uses."""
    return 1 / (1 + np.exp(-described @ parameters))
