"""The embedding model in the package: a table of token vectors, read from the disk and nowhere else."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from safetensors.numpy import load_file  # pyright: ignore[reportUnknownVariableType]  # a bare PathLike
from tokenizers import Tokenizer

from pronoia.domain.records import Vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MODEL_FOLDER = Path(__file__).parent / "model"
INLINE_CHARACTERS = 2_000
"""Texts of up to this many characters together are embedded on the event loop, in about a millisecond."""
CHUNK_CHARACTERS = 20_000
"""What the thread embeds at once, so that a long import leaves gaps for others and stops soon when it is cancelled."""


class StaticEmbedder:
    """Averages the vectors of a text's tokens and scales the mean to length one.

    All of a text counts, however long. A text without any known token gets the zero vector: it is like nothing,
    scores 0 against every query, and is found by its words alone.
    """

    def __init__(self, folder: Path = MODEL_FOLDER) -> None:
        settings = cast("dict[str, object]", json.loads((folder / "config.json").read_text("utf-8")))
        self._space = str(settings["space"])
        self._rows: NDArray[np.int8] = load_file(folder / "model.safetensors")["embeddings"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._unknown = self._tokenizer.token_to_id("[UNK]")
        # One thread: two would only compete for the interpreter lock while they average.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="embedder")

    @property
    def space(self) -> str:
        """Name the model and its version, as its folder does."""
        return self._space

    @property
    def dimensions(self) -> int:
        """Give the width of the table."""
        return self._rows.shape[1]

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed texts in order: a few short ones at once, more of them in a thread beside the event loop."""
        if sum(map(len, texts)) <= INLINE_CHARACTERS:
            return self._embed(texts)
        loop = asyncio.get_running_loop()
        vectors: list[Vector] = []
        for chunk in _chunks(texts):
            vectors += await loop.run_in_executor(self._executor, self._embed, chunk)
        return vectors

    async def close(self) -> None:
        """Let go of the thread; what waits for it is cancelled."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [Vector(self._space, self._average(encoding.ids)) for encoding in encodings]

    def _average(self, tokens: list[int]) -> bytes:
        known = [token for token in tokens if token != self._unknown]
        total = self._rows[known].sum(axis=0, dtype=np.float32)
        length = float(np.sqrt(total @ total))
        if length > 0:
            total /= length
        return total.astype("<f4", copy=False).tobytes()


def _chunks(texts: Sequence[str]) -> list[list[str]]:
    """Cut into runs of at most CHUNK_CHARACTERS, or of one text that is longer."""
    chunks: list[list[str]] = [[]]
    characters = 0
    for text in texts:
        if chunks[-1] and characters + len(text) > CHUNK_CHARACTERS:
            chunks.append([])
            characters = 0
        chunks[-1].append(text)
        characters += len(text)
    return chunks
