from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from pronoia.domain.records import Vector
    from pronoia.ports.embedder import Embedder

pytestmark = pytest.mark.anyio
TEXTS = ("Grace keeps bees in the garden.", "The bees of Grace", "Quarterly tax return, filed late")


def numbers(vector: Vector) -> np.ndarray:
    return np.frombuffer(vector.values, "<f4")


async def test_a_vector_has_the_embedder_s_space_and_size_and_length_one(embedder: Embedder) -> None:
    for vector in await embedder.embed(TEXTS):
        assert vector.space == embedder.space
        assert numbers(vector).shape == (embedder.dimensions,)
        assert np.linalg.norm(numbers(vector)) == pytest.approx(1.0, abs=1e-5)


async def test_a_text_has_the_same_vector_alone_and_in_a_batch(embedder: Embedder) -> None:
    together = await embedder.embed(TEXTS)
    alone = [(await embedder.embed([text]))[0] for text in TEXTS]
    assert together == alone


async def test_texts_about_the_same_thing_are_nearer_than_others(embedder: Embedder) -> None:
    first, same, other = map(numbers, await embedder.embed(TEXTS))
    assert first @ same > first @ other + 0.1


async def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert await embedder.embed([]) == []


async def test_a_batch_comes_back_whole_and_in_order(embedder: Embedder) -> None:
    texts = [f"{number} bottles of elderberry wine and {'more ' * 20}" for number in range(100)]
    vectors = await embedder.embed(texts)
    assert len(vectors) == 100
    assert vectors[77] == (await embedder.embed([texts[77]]))[0]


async def test_a_text_without_words_is_the_zero_vector(embedder: Embedder) -> None:
    (vector,) = await embedder.embed(["\U0001f600"])
    assert not numbers(vector).any()


async def test_all_of_a_long_text_counts(embedder: Embedder) -> None:
    start = "bees " * 1_900
    short, long = map(numbers, await embedder.embed([start, start + "volcano " * 60]))
    assert len(start) < 10_000
    assert not np.allclose(short, long, atol=1e-3)
