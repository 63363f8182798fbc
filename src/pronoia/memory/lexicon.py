"""The words of a user's memories, and BM25 over them."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pronoia.memory.columns import Column, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

SATURATION = 0.9
LENGTH_WEIGHT = 0.4
SMALLEST_TAIL = 2_048


class Contributions(NamedTuple):
    """What the words of a query add to the scores of the rows that hold them; one entry a word and row."""

    words: NDArray[np.intp]
    """Which of the query's distinct words, counted from 0."""
    rows: NDArray[np.int32]
    values: NDArray[np.float32]
    ceilings: NDArray[np.float32]
    """What each word would add to a memory that said nothing else: no value reaches it. One a word, found or not."""


class Lexicon:
    """Postings in two parts: a sorted base that numpy searches, and a tail of the newest rows.

    The tail is merged once it is larger than an eighth of the base. Killed rows keep their postings until they are
    gone with the working set; they still count in the frequencies, which moves an idf by less than their share.
    """

    def __init__(self) -> None:
        self._terms = np.zeros(0, dtype=np.uint32)
        self._rows = np.zeros(0, dtype=np.int32)
        self._counts = np.zeros(0, dtype=np.float32)
        self._tail: dict[int, tuple[tuple[int, int], ...]] = {}
        """Tuples, not lists: the garbage collector lets go of a tuple that holds only numbers."""
        self._tail_postings = 0
        self._lengths = np.zeros(0, dtype=np.float32)
        self._sequence: Column[np.uint32] = Column(np.uint32)
        self._ends: Column[np.int64] = Column(np.int64)
        self._size = 0
        self._total_length = 0.0

    @property
    def nbytes(self) -> int:
        postings = self._terms.nbytes + self._rows.nbytes + self._counts.nbytes + 120 * self._tail_postings
        return postings + self._sequence.nbytes + self._ends.nbytes

    @property
    def lengths(self) -> NDArray[np.float32]:
        """Words that carry meaning, a row."""
        return self._lengths[: self._size]

    def frozen(self) -> Lexicon:
        """Give what there is now, for another thread."""
        return copy(self)

    def extend(self, terms: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        """Append rows: all their terms in order, and how many each row has."""
        first = self._size
        self._append_lengths(counts)
        self._sequence.extend(terms)
        self._ends.extend(np.cumsum(counts) + (self._ends.values[-1] if first else 0))
        rows = np.repeat(np.arange(first, self._size, dtype=np.int64), counts)
        keys, tallies = np.unique((terms.astype(np.int64) << 31) | rows, return_counts=True)
        new_terms = (keys >> 31).astype(np.uint32)
        new_rows = (keys & 0x7FFF_FFFF).astype(np.int32)
        if len(keys) > SMALLEST_TAIL:
            self._merge(new_terms, new_rows, tallies.astype(np.float32))
            return
        for term, row, tally in zip(new_terms.tolist(), new_rows.tolist(), tallies.tolist(), strict=True):
            self._tail[term] = (*self._tail.get(term, ()), (row, tally))
        self._tail_postings += len(keys)
        if self._tail_postings > max(SMALLEST_TAIL, len(self._terms) // 8):
            self._merge(np.zeros(0, np.uint32), np.zeros(0, np.int32), np.zeros(0, np.float32))

    def sequences(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Give all terms of rows in their order, one row behind the other, and how many each has."""
        ends = self._ends.values
        starts = np.where(rows > 0, ends[rows - 1], 0)
        lengths = ends[rows] - starts
        return self._sequence.values[spread(starts, lengths)], lengths

    def frequency(self, term: int) -> int:
        """Count the rows that hold a term."""
        return len(self._postings(np.uint32(term))[0])

    def idf(self, term: int) -> float:
        """Weigh a term: ln(1 + (N - n + 0.5) / (n + 0.5)), as Lucene does."""
        holding = self.frequency(term)
        return float(np.log1p((self._size - holding + 0.5) / (holding + 0.5)))

    def scores(self, terms: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Score all rows by BM25; float32 (n,)."""
        found = self.contributions(terms)
        return np.bincount(found.rows, weights=found.values, minlength=self._size).astype(np.float32)

    def contributions(self, terms: NDArray[np.uint32]) -> Contributions:
        """Take the BM25 score of every row apart, by word; a word counts once however often a query repeats it.

        Robertson and Zaragoza 2009, eq. 3.15, with k1 0.9 and b 0.4.
        """
        distinct = np.unique(terms)
        words, rows, counts = self._all_postings(distinct)
        holding = np.bincount(words, minlength=len(distinct))
        idf = np.log1p((self._size - holding + 0.5) / (holding + 0.5)).astype(np.float32)
        ceilings = idf * np.float32(SATURATION + 1)
        average = max(self._total_length / max(self._size, 1), 1.0)
        norms = np.float32(SATURATION * (1 - LENGTH_WEIGHT)) + np.float32(
            SATURATION * LENGTH_WEIGHT / average
        ) * self.lengths.take(rows)
        values = (ceilings[words] * counts / (counts + norms)).astype(np.float32, copy=False)
        return Contributions(words, rows, values, ceilings)

    def rarest(self, terms: NDArray[np.uint32], count: int) -> NDArray[np.uint32]:
        """Cut the terms of a long text down to the `count` that fewest rows hold."""
        if len(terms) <= count:
            return terms
        distinct = np.unique(terms)
        return distinct[np.argsort(-self.contributions(distinct).ceilings, kind="stable")[:count]]

    def _postings(self, term: np.uint32) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        first, last = self._terms.searchsorted(term, "left"), self._terms.searchsorted(term, "right")
        rows, counts = self._rows[first:last], self._counts[first:last]
        newest = self._newest(int(term))
        if not newest:
            return rows, counts
        added = np.array(newest, dtype=np.int32)
        return np.concatenate((rows, added[:, 0])), np.concatenate((counts, added[:, 1].astype(np.float32)))

    def _all_postings(
        self, terms: NDArray[np.uint32]
    ) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
        first, last = self._terms.searchsorted(terms, "left"), self._terms.searchsorted(terms, "right")
        held = last - first
        words, places = np.repeat(np.arange(len(terms)), held), spread(first, held)
        rows, counts = self._rows[places], self._counts[places]
        newest = [(at, row, count) for at, term in enumerate(terms.tolist()) for row, count in self._newest(term)]
        if not newest:
            return words, rows, counts
        added = np.array(newest)
        return (
            np.concatenate((words, added[:, 0])),
            np.concatenate((rows, added[:, 1].astype(np.int32))),
            np.concatenate((counts, added[:, 2].astype(np.float32))),
        )

    def _newest(self, term: int) -> list[tuple[int, int]]:
        """Find a term in the tail, without the rows that were appended after this was frozen."""
        return [one for one in self._tail.get(term, ()) if one[0] < self._size]

    def _append_lengths(self, counts: NDArray[np.int64]) -> None:
        needed = self._size + len(counts)
        if needed > len(self._lengths):
            grown = np.zeros(max(needed, 2 * len(self._lengths)), dtype=np.float32)
            grown[: self._size] = self._lengths[: self._size]
            self._lengths = grown
        self._lengths[self._size : needed] = counts
        self._size = needed
        self._total_length += float(counts.sum())

    def _merge(self, terms: NDArray[np.uint32], rows: NDArray[np.int32], counts: NDArray[np.float32]) -> None:
        tail = [(term, row, tally) for term, newest in self._tail.items() for row, tally in newest]
        tail_terms = np.array([term for term, _, _ in tail], dtype=np.uint32)
        tail_rows = np.array([row for _, row, _ in tail], dtype=np.int32)
        tail_counts = np.array([tally for _, _, tally in tail], dtype=np.float32)
        all_terms = np.concatenate((self._terms, tail_terms, terms))
        order = np.argsort(all_terms, kind="stable")
        self._rows = np.concatenate((self._rows, tail_rows, rows))[order]
        self._counts = np.concatenate((self._counts, tail_counts, counts))[order]
        self._terms = all_terms[order]
        self._tail = {}
        self._tail_postings = 0
