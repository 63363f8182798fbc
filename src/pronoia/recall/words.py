"""What the words of a query find: in a memory, around it, and in its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.memory.working_set import WorkingSet

MAXIMUM_TERMS = 64
"""A query's rarest words; a pasted document would otherwise cost a column for each of its thousands."""
FOLLOWING_SHARES = (0.7, 0.5)
"""What a word is worth one and two memories after the one that says it: an answer follows its question."""
PREVIOUS_SHARES = (0.5, 0.3)
"""The same for the memories before it."""


@dataclass(frozen=True, slots=True)
class WordEvidence:
    """BM25 of n rows from three distances; float32 (n,) each."""

    own: NDArray[np.float32]
    """Of the memory alone."""
    nearby: NDArray[np.float32]
    """What its neighbours in the session add: each word counts once, where it is worth most."""
    in_session: NDArray[np.float32]
    """Root mean square over the memories of its session; its own where it has none."""
    ceiling: float
    """What own and nearby together could reach if a memory said every word of the query over and over."""


def word_evidence(working_set: WorkingSet, terms: NDArray[np.uint32], size: int) -> WordEvidence:
    """Measure the first `size` rows; dead ones among them are worth nothing to the living."""
    found = working_set.lexicon.contributions(working_set.lexicon.rarest(terms, MAXIMUM_TERMS))
    ceiling = float(found.ceilings.sum())
    # Rows that another thread appended after the caller took its size are not ours to rank.
    ours = working_set.alive[:size].take(found.rows, mode="clip") & (found.rows < size)
    words, rows, values = found.words, found.rows, found.values
    if not ours.all():
        words, rows, values = words[ours], rows[ours], values[ours]
    own = np.bincount(rows, weights=values, minlength=size).astype(np.float32)
    if not len(rows) or not working_set.sessions.names:
        return WordEvidence(own, np.zeros_like(own), own, ceiling)
    best = np.zeros((len(found.ceilings), size + 1), dtype=np.float32)
    _spread_around(working_set, best, words, rows, values)
    nearby = np.maximum(best[:, :size].sum(axis=0) - own, 0)
    return WordEvidence(own, nearby, _in_session(working_set, own), ceiling)


def _spread_around(
    working_set: WorkingSet,
    best: NDArray[np.float32],
    words: NDArray[np.intp],
    rows: NDArray[np.int32],
    values: NDArray[np.float32],
) -> None:
    """Write into `best`, (words, size + 1), the most that each word is worth in a row or within two memories of it.

    The extra column takes what falls off the end of a session: a neighbour of -1 is the place before the block of its
    word, which is that column of the word before, or of the last.
    """
    flat, width = best.reshape(-1), best.shape[1]
    starts = words * width
    flat[starts + rows] = values
    for order, shares in ((working_set.following, FOLLOWING_SHARES), (working_set.previous, PREVIOUS_SHARES)):
        onward = _padded(order, width - 1)
        reached = rows
        for share in shares:
            reached = onward[reached]
            # A word reaches a row from one row at most at each distance: no two entries write the same place.
            places = starts + reached
            flat[places] = np.maximum(flat[places], np.float32(share) * values)


def _padded(order: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    """Let -1 lead to itself, and rows beyond the size to -1."""
    padded = np.full(size + 1, -1, dtype=np.int32)
    padded[:size] = order[:size]
    if len(order) > size:
        padded[padded >= size] = -1
    return padded


def _in_session(working_set: WorkingSet, own: NDArray[np.float32]) -> NDArray[np.float32]:
    alive = working_set.alive[: len(own)]
    # Codes start at -1, for no session, and bins at 0.
    bins = working_set.sessions.codes[: len(own)].astype(np.intp) + 1
    squares = np.bincount(bins, weights=own * own)
    members = np.bincount(bins if alive.all() else bins[alive], minlength=len(squares))
    level = np.sqrt(squares / np.maximum(members, 1)).astype(np.float32)
    return np.where(bins > 0, level[bins], own)
