"""From text to the numbers that the lexicon counts."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast
from zlib import crc32

import numpy as np
import Stemmer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
STOP_WORDS = frozenset((files("pronoia.memory") / "stop_words.txt").read_text("utf-8").split())

_stem = cast("Callable[[str], str]", Stemmer.Stemmer("english").stemWord)  # pyright: ignore[reportUnknownMemberType]  # untyped


def words(text: str) -> list[str]:
    """Cut a text into lower-case words, in order, none left out."""
    return WORD.findall(text.lower())


def analyze(text: str) -> bytes:
    """Give the words that carry meaning: one little-endian uint32 each, in order, repeats kept.

    Stop words are dropped, the rest stemmed (Snowball English) and hashed (CRC-32 of the stem).
    """
    return query_terms(text).tobytes()


def query_terms(text: str) -> NDArray[np.uint32]:
    """Give the same numbers as an array."""
    return np.array([_term(word) for word in words(text) if word not in STOP_WORDS], dtype="<u4")


@lru_cache(maxsize=65_536)
def _term(word: str) -> int:
    return crc32(_stem(word.removesuffix("'s")).encode())
