"""What an organisation's users teach its prediction: the weights of the experts, and how far to trust them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pronoia.prediction import calibration
from pronoia.prediction.prior import shipped_prior
from pronoia.prediction.signals import SIGNALS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.domain.identifiers import Scope

GAPS: Final = (60.0, 600.0, 3_600.0, 21_600.0, 86_400.0)
"""Bounds of the kinds of gap since the last use, in seconds. Each kind has weights beside the common ones."""
SHAPE: Final = (2 + len(GAPS), len(SIGNALS))
WEIGHTS: Final = SHAPE[0] * SHAPE[1]
PARAMETERS: Final = WEIGHTS + calibration.PARAMETERS
CONTRIBUTION: Final = 2 * PARAMETERS
LAYOUT: Final = f"1:{SHAPE[0]}:{SHAPE[1]}:{calibration.PARAMETERS}"
"""Names what the numbers of a contribution mean; it changes when they do."""
PLACES: Final = np.arange(WEIGHTS).reshape(SHAPE)
"""Of the weights among the parameters."""
LEARNING_RATE = 0.1
FIRST_SQUARES = 1.0


@dataclass(frozen=True, slots=True)
class Blend:
    """What predictions are made with."""

    parameters: NDArray[np.float64]
    """(PARAMETERS,), weights first."""

    def weights(self, gap: float) -> NDArray[np.float32]:
        """Give the weights of the signals for a gap in seconds; (len(SIGNALS),)."""
        table = self.parameters[:WEIGHTS].reshape(SHAPE)
        return (table[0] + table[kind_of_gap(gap)]).astype(np.float32)

    def confidences(self, described: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the probabilities that predictions come true; see calibration.describe."""
        return calibration.confidences(described, self.parameters[WEIGHTS:])


class SharedBlend:
    """Parameters as the shipped prior plus what each user contributed; without a user's part, they never were.

    A contribution is a vector of CONTRIBUTION numbers: steps of the parameters, then the squared gradients that size
    later steps (Adagrad, Duchi et al. 2011). Both add up, over users and over processes.
    """

    def __init__(self, total: NDArray[np.float64] | None = None) -> None:
        prior = shipped_prior()
        self._prior = np.concatenate((prior.weight_array(SHAPE).ravel(), prior.calibration))
        self._learned = np.zeros((2, PARAMETERS))
        self._unsaved: dict[Scope, NDArray[np.float64]] = {}
        if total is not None:
            self.refresh(total)

    @property
    def current(self) -> Blend:
        """What was learned until now; what is learned later does not change it."""
        return Blend(self._prior + self._learned[0])

    def weights(self, gap: float) -> NDArray[np.float32]:
        """Give the weights of the signals for a gap in seconds; (len(SIGNALS),)."""
        return self.current.weights(gap)

    def learn(self, user: Scope, gap: float, gradient: NDArray[np.float64]) -> None:
        """Step along the gradient of the log-likelihood of a use, for all gaps and for this kind."""
        self._step(user, PLACES[[0, kind_of_gap(gap)]], gradient)

    def settle(self, user: Scope, described: NDArray[np.float64], came_true: NDArray[np.bool_]) -> None:
        """Learn how far to trust, from predictions and which of them came true."""
        gradient = (came_true - self.current.confidences(described)) @ described
        self._step(user, slice(WEIGHTS, PARAMETERS), gradient)

    def take_unsaved(self) -> dict[Scope, NDArray[np.float64]]:
        """Hand over what users contributed since the last call; (CONTRIBUTION,) each."""
        unsaved, self._unsaved = self._unsaved, {}
        return {user: part.ravel() for user, part in unsaved.items()}

    def put_back(self, user: Scope, part: NDArray[np.float64]) -> None:
        """Take back what could not be saved."""
        self._part(user)[:] += part.reshape(2, PARAMETERS)

    def refresh(self, total: NDArray[np.float64]) -> None:
        """Take over what all users contributed and was saved, by whichever process; what is unsaved stays."""
        self._learned[:] = total.reshape(2, PARAMETERS) if len(total) == CONTRIBUTION else 0
        for part in self._unsaved.values():
            self._learned += part

    def forget(self, user: Scope) -> None:
        """Take out what a user contributed and was not saved. What was saved goes with the next refresh."""
        unsaved = self._unsaved.pop(user, None)
        if unsaved is not None:
            self._learned -= unsaved

    def _step(self, user: Scope, places: slice | NDArray[np.intp], gradient: NDArray[np.float64]) -> None:
        squares = gradient * gradient
        # What was taken out may leave less than nothing, by rounding.
        before = np.maximum(self._learned[1, places], 0)
        added = np.empty((2, *before.shape))
        added[0] = LEARNING_RATE * gradient / np.sqrt(FIRST_SQUARES + before + squares)
        added[1] = squares
        self._learned[:, places] += added
        self._part(user)[:, places] += added

    def _part(self, user: Scope) -> NDArray[np.float64]:
        part = self._unsaved.get(user)
        if part is None:
            part = self._unsaved[user] = np.zeros((2, PARAMETERS))
        return part


def kind_of_gap(gap: float) -> int:
    """Give the row of weights of a gap in seconds: 1 for the shortest."""
    return 1 + bisect_right(GAPS, gap)
