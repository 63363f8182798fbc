"""What the ranker believes before it has seen a user: fitted weights, shipped as prior.json."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray  # noqa: TC002  # part of a field's type

from pronoia.recall.relevance import Calibration  # noqa: TC001  # msgspec reads the annotation
from pronoia.recall.signals import SIGNALS
from pronoia.recall.use import UseWeights  # noqa: TC001  # the same


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Where the numbers come from, for whoever wants to make them again."""

    data: str
    questions: int
    protocol: str
    command: str
    date: str


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """The content of prior.json."""

    weights: dict[str, float]
    """One a signal of SIGNALS; fitted."""
    use: UseWeights
    """Chosen, not fitted: the data has no use in it."""
    relevance: Calibration
    fit: Fit

    def weight_array(self) -> NDArray[np.float32]:
        """Give the weights in the order of SIGNALS."""
        return to_array(self.weights)


class SuggestionPrior(msgspec.Struct, frozen=True, kw_only=True):
    """The content of suggestion_prior.json.

    A search answers somebody who asked and may be generous. Nobody asked for a suggestion: it must be sure that the
    context is about something that is stored.
    """

    relevance: Calibration
    fit: Fit


def to_array(weights: dict[str, float]) -> NDArray[np.float32]:
    """Order weights as SIGNALS; one that is missing is 0."""
    return np.array([weights.get(name, 0.0) for name in SIGNALS], dtype=np.float32)


@lru_cache(maxsize=1)
def shipped_prior() -> Prior:
    """Read the prior in the package."""
    return msgspec.json.decode((files("pronoia.recall") / "prior.json").read_bytes(), type=Prior)


@lru_cache(maxsize=1)
def shipped_suggestion_prior() -> SuggestionPrior:
    """Read the prior of suggestions in the package."""
    return msgspec.json.decode((files("pronoia.recall") / "suggestion_prior.json").read_bytes(), type=SuggestionPrior)
