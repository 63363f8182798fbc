"""Pairs of memories that say the same, found by blocks of one matrix product and confirmed by their words."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.analyzer import query_terms, words

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


def find_duplicates(held: WorkingSet) -> list[DuplicatePair]:
    """Find living rows that repeat another, most similar first.

    Of each text that occurs more than once, every later memory is paired with the first; other pairs are between
    memories of different texts.
    """
    size = held.size
    rows = np.flatnonzero(held.alive[:size])
    rows = rows[np.lexsort((rows, held.created_at[rows]))]
    first: dict[str, int] = {}
    pairs: list[DuplicatePair] = []
    for row in rows.tolist():
        earlier = first.setdefault(held.text(row), row)
        if earlier != row:
            pairs.append(DuplicatePair(earlier, row, 1.0, _share_project(held, earlier, row)))
    distinct = np.array([row for row in first.values() if held.embedded[row]], dtype=np.intp)
    for one, other, cosine in zip(*_similar_pairs(held.vectors[distinct]), strict=True):
        pair = _confirm(held, int(distinct[one]), int(distinct[other]), float(cosine))
        if pair is not None:
            pairs.append(pair)
    return sorted(pairs, key=lambda pair: (-pair.similarity, pair.kept, pair.removed))


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


def _confirm(held: WorkingSet, one: int, other: int, cosine: float) -> DuplicatePair | None:
    """Compare the words of two rows, `one` the older; None if they have too few in common."""
    kept, removed = one, other
    kept_terms, removed_terms = _terms(held, one), _terms(held, other)
    common, all_terms = set(kept_terms) & set(removed_terms), set(kept_terms) | set(removed_terms)
    if not common or len(common) < LEAST_OVERLAP * len(all_terms):
        return None
    contained = _is_within(removed_terms, kept_terms)
    if not contained and _is_within(kept_terms, removed_terms):
        kept, removed, contained = other, one, True
    elif kept_terms == removed_terms and held.usage_count[other] > held.usage_count[one]:
        kept, removed = other, one
    is_safe = (
        cosine > MERGE_ABOVE
        and contained
        and _turning_words(held, one) == _turning_words(held, other)
        and _share_project(held, one, other)
    )
    return DuplicatePair(kept, removed, cosine, is_safe)


def _terms(held: WorkingSet, row: int) -> list[int]:
    return query_terms(held.text(row)).tolist()


def _is_within(shorter: list[int], longer: list[int]) -> bool:
    """Say whether all words of one text stand in the other in the same order: who paid whom is told by nothing else."""
    rest = iter(longer)
    return all(term in rest for term in shorter)


def _turning_words(held: WorkingSet, row: int) -> list[str]:
    """Give the words that turn a sentence over however little they change its vector, as negations and numbers do."""
    return [word for word in words(held.text(row)) if word in TURNING_WORDS or any(map(str.isdigit, word))]


def _share_project(held: WorkingSet, one: int, other: int) -> bool:
    return bool(held.projects.codes[one] == held.projects.codes[other])
