"""What speaks for a memory to be needed next, from what it says and where it was stored. No history is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.analyzer import query_terms
from pronoia.memory.columns import split
from pronoia.memory.link_table import RELATIONSHIP_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pronoia.domain.records import RelationshipType
    from pronoia.memory.working_set import WorkingSet

CONTENT_SIGNALS = (
    "words",
    "words_in_common",
    "meaning",
    "meaning_of_recent",
    "next",
    "distance",
    "session",
    "tags",
    "project",
    "relationship",
)
REASONS = {
    "words": "context_similarity",
    "words_in_common": "context_similarity",
    "meaning": "context_similarity",
    "meaning_of_recent": "context_similarity",
    "next": "stored_after_recent",
    "distance": "stored_after_recent",
    "session": "same_session",
    "tags": "shared_tags",
    "project": "same_project",
}
"""The reason that a signal is given as; relationships are named after their type."""
SMALLEST_REASON = 0.5
"""The log-odds beyond those of an average memory from which on a reason is worth naming."""
MAXIMUM_RECENT = 10
"""The latest of the recent memories, the only ones that count."""
MAXIMUM_TERMS = 64


@dataclass(frozen=True, slots=True)
class ContentSignals:
    """The signals of all n rows of a working set; those of dead rows mean nothing."""

    values: NDArray[np.float32]
    """In the order of CONTENT_SIGNALS; (len(CONTENT_SIGNALS), n)."""
    averages: NDArray[np.float32]
    """One a signal, over the living rows that are not recent."""
    related: dict[int, RelationshipType]
    """Rows with a relationship to a recent one, and the type of the strongest."""

    def score(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give log-odds: their softmax over rows is the probability of each to be needed next; float32 (n,)."""
        return (weights @ self.values).astype(np.float32, copy=False)

    def reasons(self, row: int, weights: NDArray[np.float32]) -> list[str]:
        """Name what lifts a row above the average one, the weightiest first."""
        contributions = weights * (self.values[:, row] - self.averages)
        added: dict[str, float] = {}
        for name, contribution in zip(CONTENT_SIGNALS, contributions.tolist(), strict=True):
            if name != "relationship":
                added[REASONS[name]] = added.get(REASONS[name], 0.0) + contribution
            elif row in self.related:
                added[f"{self.related[row]}_relationship"] = contribution
        named = [reason for reason, contribution in added.items() if contribution >= SMALLEST_REASON]
        return sorted(named, key=lambda reason: -added[reason])


def measure_content(
    working_set: WorkingSet,
    terms: NDArray[np.uint32],
    vector: NDArray[np.float32] | None,
    recent: Sequence[int],
) -> ContentSignals:
    """Measure all rows against a context, its analyzed words and unit vector, and the recent memories.

    `recent` are living rows, oldest first; both the context and they may be empty.

    words: log(1 + BM25) of the words of the context and of the recent memories. words_in_common: the same of the words
    that both have. meaning, meaning_of_recent: cosine with the context, and with the nearest recent memory, mean 0 and
    deviation 1 over the rows. next, distance: 1/d and -log(1 + d), where d counts memories in the order in which they
    were stored, from the last recent one before it; 0 and -log(1 + n) before all of them. session, project: whether it
    shares that with a recent one. tags: most of its own that it shares with one, in [0, 1]. relationship: strength of
    the strongest with one, in [0, 1].
    """
    size = working_set.size
    rows = np.array([row for row in recent[-MAXIMUM_RECENT:] if row < size], dtype=np.intp)
    candidates = working_set.alive[:size].copy()
    candidates[rows] = False
    related = _relationships(working_set, rows)
    values = np.stack(
        (
            *_words(working_set, terms, rows, size),
            *_meanings(working_set, vector, rows, candidates),
            *_order(working_set, rows, size),
            _shares(working_set.sessions.codes[:size], rows),
            _tags(working_set, rows, size),
            _shares(working_set.projects.codes[:size], rows),
            _strengths(related, size),
        )
    ).astype(np.float32, copy=False)
    averages = values[:, candidates].sum(axis=1) / np.float32(max(int(candidates.sum()), 1))
    return ContentSignals(values, averages, {row: kind for row, (_, kind) in related.items()})


def _words(
    working_set: WorkingSet, terms: NDArray[np.uint32], recent: NDArray[np.intp], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    lexicon = working_set.lexicon
    spoken = [query_terms(working_set.text(row)) for row in recent.tolist()]
    everything = lexicon.rarest(np.concatenate((terms, *spoken)), MAXIMUM_TERMS)
    scores = np.log1p(lexicon.scores(everything)[:size])
    if not spoken:
        return scores, np.zeros(size, dtype=np.float32)
    common = lexicon.rarest(np.intersect1d(terms, np.concatenate(spoken)), MAXIMUM_TERMS)
    return scores, np.log1p(lexicon.scores(common)[:size])


def _meanings(
    working_set: WorkingSet,
    vector: NDArray[np.float32] | None,
    recent: NDArray[np.intp],
    candidates: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    size = len(candidates)
    among = candidates & working_set.embedded[:size]
    nothing = np.zeros(size, dtype=np.float32)
    near = nothing if vector is None else _standardised(working_set.similarities(vector)[:size], among)
    embedded = recent[working_set.embedded[recent]]
    if not len(embedded):
        return near, nothing
    vectors = working_set.vectors[:size]
    return near, _standardised((vectors @ vectors[embedded].T).max(axis=1), among)


def _standardised(values: NDArray[np.float32], among: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Bring some entries to mean 0 and deviation 1, and set all others to 0."""
    known = values[among]
    deviation = float(known.std()) if len(known) else 0.0
    if deviation == 0:
        return np.zeros_like(values)
    return np.where(among, (values - known.mean()) / np.float32(deviation), 0).astype(np.float32, copy=False)


def _order(
    working_set: WorkingSet, recent: NDArray[np.intp], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    following = np.zeros(size, dtype=np.float32)
    distance = np.zeros(size, dtype=np.float32)
    if not len(recent):
        return following, distance
    living = np.flatnonzero(working_set.alive[:size])
    places = np.zeros(size, dtype=np.intp)
    places[living[np.argsort(working_set.created_at[living], kind="stable")]] = np.arange(len(living))
    starts = np.sort(places[recent])
    before = np.searchsorted(starts, places, side="left") - 1
    steps = (places - starts[before])[living]
    later = before[living] >= 0
    following[living[later]] = 1 / steps[later]
    distance[living] = -np.log1p(np.where(later, steps, len(living)))
    return following, distance


def _shares(codes: NDArray[np.int32], recent: NDArray[np.intp]) -> NDArray[np.float32]:
    wanted = codes[recent]
    wanted = wanted[wanted >= 0]
    return np.isin(codes, wanted).astype(np.float32) if len(wanted) else np.zeros(len(codes), dtype=np.float32)


def _tags(working_set: WorkingSet, recent: NDArray[np.intp], size: int) -> NDArray[np.float32]:
    shares = np.zeros(size, dtype=np.float32)
    sets = [set(tags) for row in recent.tolist() if (tags := working_set.tags(row))]
    if not sets:
        return shares
    for row in range(size):
        own = set(working_set.tags(row))
        if own:
            shares[row] = max(len(own & others) for others in sets) / len(own)
    return shares


def _relationships(working_set: WorkingSet, recent: NDArray[np.intp]) -> dict[int, tuple[float, RelationshipType]]:
    """Find the strongest relationship of each row with a recent one."""
    found: dict[int, tuple[float, RelationshipType]] = {}
    if not len(working_set.links):
        return found
    for memory_id in working_set.ids(recent.tolist()):
        around = working_set.links.around(memory_id)
        rows: list[int] = working_set.rows_of(split(around.others.tobytes())).tolist()
        for row, place, strength in zip(rows, around.types.tolist(), around.strengths.tolist(), strict=True):
            if row >= 0 and strength > found.get(row, (0.0, None))[0]:
                found[row] = (strength, RELATIONSHIP_TYPES[place])
    return found


def _strengths(related: dict[int, tuple[float, RelationshipType]], size: int) -> NDArray[np.float32]:
    strengths = np.zeros(size, dtype=np.float32)
    for row, (strength, _) in related.items():
        if row < size:
            strengths[row] = strength
    return strengths
