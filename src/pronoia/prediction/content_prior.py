"""What the signals of content weigh before a user is known: fitted weights, shipped as content_prior.json."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pronoia.prediction.content import CONTENT_SIGNALS

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ContentFit(msgspec.Struct, frozen=True, kw_only=True):
    """Where the numbers come from, for whoever wants to make them again."""

    data: str
    steps: int
    protocol: str
    command: str
    date: str


class ContentPrior(msgspec.Struct, frozen=True, kw_only=True):
    """The content of content_prior.json."""

    fitted: dict[str, float]
    chosen: dict[str, float]
    """Of the signals that the data has nothing of."""
    fit: ContentFit

    def weight_array(self) -> NDArray[np.float32]:
        """Give the weights in the order of CONTENT_SIGNALS, in log-odds a unit of each signal."""
        weights = {**self.fitted, **self.chosen}
        return np.array([weights[name] for name in CONTENT_SIGNALS], dtype=np.float32)


@lru_cache(maxsize=1)
def shipped_content_prior() -> ContentPrior:
    """Read the prior in the package."""
    return msgspec.json.decode((files("pronoia.prediction") / "content_prior.json").read_bytes(), type=ContentPrior)
