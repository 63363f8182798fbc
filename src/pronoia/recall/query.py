from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.analyzer import query_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.domain.records import Vector


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: the text, its analyzed words, and its unit vector if it could be had."""

    text: str
    terms: NDArray[np.uint32]
    vector: NDArray[np.float32] | None

    @classmethod
    def of(cls, text: str, vector: Vector | None) -> Query:
        """Analyze a text. The zero vector, of a text that its embedder does not know a word of, is as good as none."""
        numbers = None if vector is None else np.frombuffer(vector.values, dtype="<f4")
        return cls(text, query_terms(text), None if numbers is None or not numbers.any() else numbers)
