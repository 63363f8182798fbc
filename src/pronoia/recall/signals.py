"""What speaks for a memory: one number a signal and candidate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.analyzer import query_terms
from pronoia.recall.words import word_evidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.memory.working_set import WorkingSet
    from pronoia.recall.query import Query

SIGNALS = (
    "words",
    "words_nearby",
    "words_in_session",
    "meaning",
    "meaning_previous",
    "meaning_following",
    "subject",
    "length",
    "question",
)
SMALLEST_DEVIATION = 1e-5
"""Relative to the mean: below it, a signal differs by rounding alone and says nothing."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of m candidates for one query."""

    rows: NDArray[np.intp]
    """The candidates' rows in the working set, ascending; (m,)."""
    values: NDArray[np.float32]
    """Raw values in the order of SIGNALS; (len(SIGNALS), m)."""
    means: NDArray[np.float32]
    inverse_deviations: NDArray[np.float32]
    """One a signal; 0 where the candidates do not differ, so that it weighs nothing."""
    word_share: NDArray[np.float32]
    """How much of what the query's words could be worth is in or near a candidate, in [0, 1); (m,)."""
    similarities: NDArray[np.float32] | None
    """Cosine with the query, (m,); None without a vector of the query."""

    def scores(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weigh the standardised signals without writing them out; (m,)."""
        scaled = weights * self.inverse_deviations
        return (scaled @ self.values - scaled @ self.means).astype(np.float32, copy=False)

    def standardised(self, places: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Give signals with mean 0 and deviation 1 over all candidates; (len(places) or m, len(SIGNALS))."""
        values = self.values if places is None else self.values[:, places]
        return ((values - self.means[:, None]) * self.inverse_deviations[:, None]).T


def measure(working_set: WorkingSet, query: Query, mask: NDArray[np.bool_]) -> Signals:
    """Measure the rows that the mask marks; what its neighbours say counts for a row even if the mask hides them.

    words: BM25 of the memory alone. words_nearby: what its neighbours in the session add to that. words_in_session:
    the session's level. meaning, meaning_previous, meaning_following: cosine of the memory and of its neighbours, its
    own where it has none. subject: whether the query names who speaks. length: log of the number of words. question:
    whether the memory asks one.
    """
    size = len(mask)
    everything = bool(mask.all())
    rows = np.arange(size) if everything else np.flatnonzero(mask)
    found = word_evidence(working_set, query.terms, size)
    measured = (
        found.own,
        found.nearby,
        found.in_session,
        *_meanings(working_set, query, size),
        _subject(working_set, query, size),
        np.log1p(working_set.lexicon.lengths[:size]),
        working_set.asks[:size],
    )
    values = np.empty((len(SIGNALS), len(rows)), dtype=np.float32)
    for place, column in enumerate(measured):
        values[place] = column if everything else column[rows]
    means, inverse_deviations = _spread(values)
    reach = np.float32(found.ceiling if found.ceiling > 0 else 1.0)
    similarities = None if query.vector is None else values[SIGNALS.index("meaning")]
    return Signals(rows, values, means, inverse_deviations, (values[0] + values[1]) / reach, similarities)


def _spread(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    count = max(values.shape[1], 1)
    means = values.sum(axis=1) / np.float32(count)
    centred = values - means[:, None]
    deviations = np.sqrt(np.einsum("ij,ij->i", centred, centred) / np.float32(count))
    varies = deviations > SMALLEST_DEVIATION * np.maximum(np.abs(means), 1)
    return means, np.divide(1, deviations, out=np.zeros_like(deviations), where=varies)


def _meanings(
    working_set: WorkingSet, query: Query, size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    if query.vector is None:
        nothing = np.zeros(size, dtype=np.float32)
        return nothing, nothing, nothing
    own = working_set.similarities(query.vector)[:size]
    embedded = working_set.embedded[:size]
    if not embedded.all():
        # A memory that waits for its vector is neither near nor far: it gets what an average one has.
        own = np.where(embedded, own, own.sum() / np.float32(max(int(embedded.sum()), 1)))
    if not working_set.sessions.names:
        return own, own, own
    return (
        own,
        _of_neighbour(own, working_set.previous[:size]),
        _of_neighbour(own, working_set.following[:size]),
    )


def _of_neighbour(values: NDArray[np.float32], neighbours: NDArray[np.int32]) -> NDArray[np.float32]:
    there = (neighbours >= 0) & (neighbours < len(values))
    return np.where(there, values.take(neighbours, mode="clip"), values)


def _subject(working_set: WorkingSet, query: Query, size: int) -> NDArray[np.float32]:
    asked = frozenset(query.terms.tolist())
    named = [not asked.isdisjoint(_name_terms(name)) for name in working_set.speakers.names]
    if not any(named):
        return np.zeros(size, dtype=np.float32)
    # The code of no speaker is -1, which reads the entry at the end.
    return np.array([*named, False], dtype=np.float32)[working_set.speakers.codes[:size]]


@lru_cache(maxsize=4_096)
def _name_terms(name: str) -> frozenset[int]:
    return frozenset(query_terms(name).tolist())
