from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.records import Memory, NewMemory, Vector
from pronoia.learning.near_duplicates import MOST_PAIRS, DuplicatePair, find_duplicates
from pronoia.memory import snapshots
from pronoia.memory.analyzer import analyze
from pronoia.memory.working_set import WorkingSet

START = datetime(2026, 1, 1, tzinfo=UTC)
DIMENSIONS = 64


def filled(entries: list[tuple[str, np.ndarray | None]], projects: list[str] | None = None) -> WorkingSet:
    """Hold texts with their vectors, each a second younger than the one before."""
    held = WorkingSet(Scope(UUID(int=1), "ada"), "space", DIMENSIONS)
    new, stored = [], []
    for place, (text, values) in enumerate(entries):
        at = START + timedelta(seconds=place)
        project = "default" if projects is None else projects[place]
        vector = None if values is None else Vector("space", values.astype("<f4").tobytes())
        one = NewMemory(
            new_id(at), text, "api", project, (), "{}", None, None, None, None, at, analyze(text), vector
        )  # fmt: skip
        new.append(one)
        stored.append(Memory(one.id, "ada", text, "api", project, (), "{}", None, None, None, None, at, at))
    held.apply(snapshots.added(1, new, stored, "space"))
    return held


def at_cosine(cosine: float, axis: int = 1) -> np.ndarray:
    """Give a unit vector at this cosine of the first axis."""
    values = np.zeros(DIMENSIONS, dtype=np.float32)
    values[0], values[axis] = cosine, np.sqrt(1 - cosine**2)
    return values


def pairs_of(held: WorkingSet) -> list[DuplicatePair]:
    return find_duplicates(held).first(MOST_PAIRS)


def pair_of(first: str, second: str, cosine: float = 0.99) -> DuplicatePair | None:
    pairs = pairs_of(filled([(first, at_cosine(1)), (second, at_cosine(cosine))]))
    assert len(pairs) <= 1
    return pairs[0] if pairs else None


def test_the_same_text_is_a_duplicate_even_without_a_vector():
    held = filled([("Tea", None), ("Bees", None), ("Tea", None), ("Tea", None)])
    assert pairs_of(held) == [DuplicatePair(0, 2, 1.0, True), DuplicatePair(0, 3, 1.0, True)]


def test_the_same_text_in_two_projects_is_left_to_the_user():
    held = filled([("Tea", None), ("Tea", None)], ["home", "work"])
    assert pairs_of(held) == [DuplicatePair(0, 1, 1.0, False)]


@pytest.mark.parametrize(
    ("cosine", "is_found", "is_safe"),
    [(0.84, False, None), (0.86, True, False), (0.94, True, False), (0.96, True, True)],
)
def test_likeness_decides_between_nothing_a_review_and_a_merge(cosine, is_found, is_safe):
    pair = pair_of("Ada likes green tea.", "ada likes green tea", cosine)
    assert (pair is not None) == is_found
    if pair is not None:
        assert pair.is_safe == is_safe
        assert pair.similarity == pytest.approx(cosine, abs=1e-3)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Please ship order 17 to Ada", "Please ship order 18 to Ada"),
        ("Ada likes green tea", "Ada does not like green tea"),
        ("Ada likes green tea", "Ada likes black tea"),
        ("Ann paid Bob for lunch", "Bob paid Ann for lunch"),
        ("Call Ada before the meeting", "Call Ada after the meeting"),
        ("The heating is on", "The heating is off"),
    ],
)
def test_what_differs_in_what_it_means_is_never_merged(first, second):
    pair = pair_of(first, second)
    assert pair is not None
    assert not pair.is_safe


def test_what_is_alike_in_vectors_alone_is_no_duplicate():
    assert pair_of("The train leaves at seven", "Bees sleep in winter") is None


def test_the_one_that_says_more_is_kept():
    pair = pair_of("Ada likes tea", "Ada likes green tea a lot")
    assert (pair.kept, pair.removed, pair.is_safe) == (1, 0, True)


def test_of_two_that_say_as_much_the_one_in_use_is_kept():
    held = filled([("Ada likes tea", at_cosine(1)), ("Ada likes the tea.", at_cosine(0.98))])
    held.record_access(held.ids([1])[0], 5.0, counted=True)
    (pair,) = pairs_of(held)
    assert (pair.kept, pair.removed) == (1, 0)


def test_a_memory_that_is_gone_is_no_duplicate():
    held = filled([("Tea", None), ("Tea", None)])
    held.apply(snapshots.removed(2, held.ids([1])[0]))
    assert pairs_of(held) == []


def test_all_planted_duplicates_among_ten_thousand_are_found_and_nothing_else():
    seed = secrets.randbits(32)
    sys.stdout.write(f"seed {seed}\n")
    numbers = np.random.default_rng(seed)
    vectors = numbers.normal(size=(9_800, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # Of random directions in 64 dimensions none is at 0.85 of another by chance; the words of each are its own.
    entries = [(f"word{place} thing{place} fact{place}", vector) for place, vector in enumerate(vectors)]
    planted = {}
    for original in numbers.choice(len(entries), 200, replace=False).tolist():
        noise = numbers.normal(size=DIMENSIONS).astype(np.float32) * 0.01
        near = vectors[original] + noise
        planted[len(entries)] = original
        entries.append((f"The {entries[original][0]}.", near / np.linalg.norm(near)))
    pairs = pairs_of(filled(entries))
    assert {(pair.removed, pair.kept) for pair in pairs if pair.is_safe} == set(planted.items())
    assert len(pairs) == 200


def test_long_texts_are_compared_in_as_many_passes_as_they_need(monkeypatch):
    texts = [f"The red house number {place} stands beside the old mill on the river" for place in range(9)]
    held = filled([(text, at_cosine(0.99, 1 + place)) for place, text in enumerate(texts)])
    at_once = pairs_of(held)
    assert len(at_once) == 36
    monkeypatch.setattr("pronoia.learning.term_sequences.TERMS_AT_ONCE", 40)
    assert pairs_of(held) == at_once
