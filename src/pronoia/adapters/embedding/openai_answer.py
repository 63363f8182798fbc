"""Reads what an OpenAI-compatible endpoint answers, and believes none of it unchecked."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pronoia.domain.errors import EmbeddingUnavailableError
from pronoia.domain.records import Vector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

BYTES_PER_NUMBER = 32
"""A float64 with all its digits takes 24 characters; the rest is for separators and indentation."""
BYTES_PER_ANSWER = 65_536


class _Item(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Item]


_decoder = msgspec.json.Decoder(_Answer)


def unavailable(reason: str) -> EmbeddingUnavailableError:
    """Make the one error that leaves this adapter. `reason` never holds a header, a body or a text."""
    return EmbeddingUnavailableError(f"The embedding endpoint cannot be used: {reason}.", reason=reason)


def largest_answer(count: int, dimensions: int) -> int:
    """Give the bytes that `count` vectors can honestly take."""
    return BYTES_PER_ANSWER + count * dimensions * BYTES_PER_NUMBER


def read_vectors(body: bytes, *, count: int, dimensions: int, space: str) -> list[Vector]:
    """Decode, check and normalise the vectors of an answer, in the order of the texts.

    Raises EmbeddingUnavailableError for anything but one finite vector of the right size for each text.
    """
    try:
        items = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise unavailable(f"its answer is not a list of embeddings ({error})") from error
    items = items.data
    if len(items) != count:
        raise unavailable(f"it answered {len(items)} vectors for {count} texts")
    ordered: list[list[float] | None] = [None] * count
    for item in items:
        if not 0 <= item.index < count or ordered[item.index] is not None:
            raise unavailable("its indexes do not name each text once")
        ordered[item.index] = item.embedding
    return [Vector(space, _unit(numbers or [], dimensions).tobytes()) for numbers in ordered]


def _unit(numbers: list[float], dimensions: int) -> NDArray[np.float32]:
    if len(numbers) != dimensions:
        raise unavailable(f"its vectors have {len(numbers)} numbers where {dimensions} are configured")
    vector = np.asarray(numbers, dtype=np.float64)
    if not np.isfinite(vector).all():
        raise unavailable("a number of its answer is not finite")
    # Scaled by the largest first, because squaring the largest floats would overflow.
    largest = float(np.abs(vector).max(initial=0.0))
    if largest > 0:
        vector /= largest
        vector /= np.sqrt(vector @ vector)
    return vector.astype("<f4")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After in seconds. A date counts from the answer's own Date, so that clocks need not agree."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(wait.total_seconds(), 0.0)
