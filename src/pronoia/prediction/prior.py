"""What prediction believes before an organisation has taught it anything: shipped as prior.json."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray  # noqa: TC002  # part of a signature that is read at run time elsewhere

from pronoia.prediction.signals import SIGNALS


class Prior(msgspec.Struct, frozen=True, kw_only=True):
    """The content of prior.json."""

    weights: dict[str, float]
    """By signal, for gaps of any length; what is not named is 0. Chosen by hand: a mix that no data was fitted to."""
    calibration: list[float]
    """Of calibration.KNOTS and CIRCUMSTANCES, in this order."""

    def weight_array(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Give the weights as a blend holds them: the first row is for all gaps."""
        weights = np.zeros(shape, dtype=np.float32)
        weights[0] = [self.weights.get(name, 0.0) for name in SIGNALS]
        return weights


@lru_cache(maxsize=1)
def shipped_prior() -> Prior:
    """Read the prior in the package."""
    return msgspec.json.decode((files("pronoia.prediction") / "prior.json").read_bytes(), type=Prior)
