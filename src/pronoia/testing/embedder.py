"""An embedder for tests: no model, no network, the same vectors on every machine."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np

from pronoia.domain.errors import EmbeddingUnavailableError
from pronoia.domain.records import Vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Gives each word a direction drawn from its hash, and a text the mean of its words, at length one.

    Texts that share words are near each other, all others nearly at right angles; a text without words gets the zero
    vector. Set `failing` to make it unavailable.
    """

    def __init__(self, dimensions: int = 64) -> None:
        self._dimensions = dimensions
        self.failing = False

    @property
    def space(self) -> str:
        """Name the space after its size, so that two sizes never meet."""
        return f"hashing-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """Give the size asked for."""
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed texts in order. Raises EmbeddingUnavailableError while `failing`."""
        if self.failing:
            raise EmbeddingUnavailableError("The embedder was told to fail.", reason="told to fail")
        return [Vector(self.space, self._embed(text).astype("<f4").tobytes()) for text in texts]

    async def close(self) -> None:
        """Hold nothing that needs closing."""

    def _embed(self, text: str) -> NDArray[np.float64]:
        total = np.zeros(self._dimensions)
        for word in _WORD.findall(text.lower()):
            total += self._direction(word)
        length = float(np.sqrt(total @ total))
        return total / length if length > 0 else total

    def _direction(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        return np.random.default_rng(seed).standard_normal(self._dimensions)
