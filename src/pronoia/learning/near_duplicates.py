"""Pairs of memories that say the same, found by blocks of one matrix product and confirmed by their words."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from pronoia.learning.term_sequences import TermSequences
from pronoia.memory.analyzer import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.memory.working_set import WorkingSet

BLOCK = 512
"""Rows of one product: 10,000 memories make blocks of at most 20 MB."""
LEAST_SIMILARITY = 0.85
MERGE_ABOVE = 0.95
LEAST_OVERLAP = 0.5
"""Share of their distinct words (stems, no stop words) that two texts must share, however alike their vectors are."""
MOST_PAIRS = 5_000
"""Where there are more, as among thousands of lines of one form, the most similar are looked at."""
TURNING_WORDS = frozenset((files("pronoia.learning") / "turning_words.txt").read_text("utf-8").split())


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two rows; `removed` says nothing that `kept` does not, if `is_safe`."""

    kept: int
    removed: int
    similarity: float
    """Cosine of the vectors; 1 for the same text."""
    is_safe: bool
    """Whether merging loses nothing: more than MERGE_ABOVE, in one project, no word, number or negation differing."""


class Duplicates:
    """Pairs of rows, most similar first. What is costly to say of a pair is said only of those that are asked for."""

    def __init__(
        self,
        held: WorkingSet,
        kept: NDArray[np.intp],
        removed: NDArray[np.intp],
        similarities: NDArray[np.float32],
        contained: NDArray[np.bool_],
    ) -> None:
        """Take n pairs in any order; `contained` says whether the kept text has all words of the other, in order."""
        order = np.lexsort((removed, kept, -similarities))
        self._held = held
        self._kept, self._removed = kept[order], removed[order]
        self._similarities = similarities[order]
        self._contained = contained[order]

    def __len__(self) -> int:
        return len(self._kept)

    def first(self, count: int) -> list[DuplicatePair]:
        """Give the `count` most similar, or all if there are fewer."""
        return [self._pair(place) for place in range(min(count, len(self)))]

    def _pair(self, place: int) -> DuplicatePair:
        kept, removed = int(self._kept[place]), int(self._removed[place])
        similarity = float(self._similarities[place])
        is_safe = (
            similarity > MERGE_ABOVE
            and bool(self._contained[place])
            and _share_project(self._held, kept, removed)
            and _turning_words(self._held, kept) == _turning_words(self._held, removed)
        )
        return DuplicatePair(kept, removed, similarity, is_safe)


def find_duplicates(held: WorkingSet) -> Duplicates:
    """Find living rows that repeat another.

    Of each text that occurs more than once, every later memory is paired with the first; other pairs are between
    memories of different texts.
    """
    rows = np.flatnonzero(held.alive[: held.size])
    rows = rows[np.lexsort((rows, held.created_at[rows]))]
    first: dict[str, int] = {}
    firsts = np.array([first.setdefault(held.text(row), row) for row in rows.tolist()], dtype=np.intp)
    repeated = firsts != rows
    distinct = rows[~repeated]
    distinct = distinct[held.embedded[distinct]]
    one, other, cosines = _similar_pairs(held.vectors[distinct])
    kept, removed, cosines, contained = _confirmed(held, distinct[one], distinct[other], cosines)
    same = np.count_nonzero(repeated)
    return Duplicates(
        held,
        np.concatenate((firsts[repeated], kept)),
        np.concatenate((rows[repeated], removed)),
        np.concatenate((np.ones(same, dtype=np.float32), cosines)),
        np.concatenate((np.ones(same, dtype=np.bool_), contained)),
    )


def _similar_pairs(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Give the places and cosines of unit rows that are at least LEAST_SIMILARITY alike, each pair once."""
    first, second = np.zeros(0, np.intp), np.zeros(0, np.intp)
    cosines = np.zeros(0, np.float32)
    floor = np.float32(LEAST_SIMILARITY)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        products = block @ vectors[start:].T
        rows, columns = np.divmod(np.flatnonzero(products >= floor), products.shape[1])
        later = columns > rows
        rows, columns = rows[later], columns[later]
        first = np.concatenate((first, rows + start))
        second = np.concatenate((second, columns + start))
        cosines = np.concatenate((cosines, products[rows, columns]))
        if len(cosines) > MOST_PAIRS:
            strongest = np.argpartition(-cosines, MOST_PAIRS - 1)[:MOST_PAIRS]
            first, second, cosines = first[strongest], second[strongest], cosines[strongest]
            floor = cosines.min()
    return first, second, np.minimum(cosines, np.float32(1))


def _confirmed(
    held: WorkingSet, older: NDArray[np.intp], newer: NDArray[np.intp], cosines: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_]]:
    """Leave the pairs whose words have enough in common; say which of the two to keep, and if it says all that both do.

    Kept is what contains the other, and of two that say the same in other stop words, the one in use; else the older.
    """
    rows, places = np.unique(np.concatenate((older, newer)), return_inverse=True)
    terms = TermSequences(held.lexicon, rows)
    one, other = np.split(places.reshape(-1), 2)
    common = terms.common(one, other)
    overlapping = (common > 0) & (common >= LEAST_OVERLAP * terms.together(one, other, common))
    one, other, common = one[overlapping], other[overlapping], common[overlapping]
    older, newer = older[overlapping], newer[overlapping]
    newer_within, older_within = terms.within(other, one, common), terms.within(one, other, common)
    in_use = terms.same(one, other) & (held.usage_count[newer] > held.usage_count[older])
    turned = (older_within & ~newer_within) | in_use
    kept, removed = np.where(turned, newer, older), np.where(turned, older, newer)
    return kept, removed, cosines[overlapping], newer_within | older_within


def _turning_words(held: WorkingSet, row: int) -> list[str]:
    """Give the words that turn a sentence over however little they change its vector, as negations and numbers do."""
    return [word for word in words(held.text(row)) if word in TURNING_WORDS or any(map(str.isdigit, word))]


def _share_project(held: WorkingSet, one: int, other: int) -> bool:
    return bool(held.projects.codes[one] == held.projects.codes[other])
