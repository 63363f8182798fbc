"""What texts say, word by word in order, compared for thousands of pairs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.columns import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.memory.lexicon import Lexicon

TERMS_AT_ONCE = 1 << 20
"""Of all pairs that are compared in one pass: 24 MB."""
TERM_BITS = 32


class TermSequences:
    """The terms of n rows. Methods take places in `rows`, two arrays of m, and compare them pair by pair."""

    def __init__(self, lexicon: Lexicon, rows: NDArray[np.intp]) -> None:
        terms, lengths = lexicon.sequences(rows)
        self._lengths = lengths
        stops = np.cumsum(lengths)
        encoded = terms.tobytes()
        bounds = (stops * terms.itemsize).tolist()
        self._sequences = [encoded[start:stop] for start, stop in zip([0, *bounds], bounds, strict=False)]
        known: dict[bytes, int] = {}
        self._names = np.array([known.setdefault(one, len(known)) for one in self._sequences], dtype=np.intp)
        keys = np.unique(np.repeat(np.arange(len(rows)), lengths) << TERM_BITS | terms)
        self._distinct = keys & ((1 << TERM_BITS) - 1)
        self._counts = np.bincount(keys >> TERM_BITS, minlength=len(rows))
        self._starts = np.cumsum(self._counts) - self._counts

    def same(self, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Say whether two rows have the same terms in the same order."""
        return self._names[one] == self._names[other]

    def common(self, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.int64]:
        """Count the distinct terms that both rows have."""
        ends = np.cumsum(self._counts[one] + self._counts[other])
        cuts = np.searchsorted(ends, np.arange(TERMS_AT_ONCE, int(ends[-1]) if len(ends) else 0, TERMS_AT_ONCE))
        passes = zip(np.split(one, cuts), np.split(other, cuts), strict=True)
        return np.concatenate([self._common(*part) for part in passes])

    def together(self, one: NDArray[np.intp], other: NDArray[np.intp], common: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the distinct terms that either row has; `common` is how many both have."""
        return self._counts[one] + self._counts[other] - common

    def within(
        self, shorter: NDArray[np.intp], longer: NDArray[np.intp], common: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Say whether all terms of one row stand in the other in the same order; `common` is how many both have.

        Who paid whom is told by the order of words alone.
        """
        found = self.same(shorter, longer)
        possible = (common == self._counts[shorter]) & (self._lengths[shorter] < self._lengths[longer])
        places: list[int] = np.flatnonzero(possible).tolist()
        for place in places:
            found[place] = _is_within(self._sequences[int(shorter[place])], self._sequences[int(longer[place])])
        return found

    def _common(self, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.int64]:
        pairs = np.arange(len(one)) << TERM_BITS
        keys = np.sort(np.concatenate((self._keys(pairs, one), self._keys(pairs, other))))
        twice = keys[1:][keys[1:] == keys[:-1]]
        return np.bincount(twice >> TERM_BITS, minlength=len(one))

    def _keys(self, pairs: NDArray[np.int64], rows: NDArray[np.intp]) -> NDArray[np.int64]:
        counts = self._counts[rows]
        return np.repeat(pairs, counts) | self._distinct[spread(self._starts[rows], counts)]


def _is_within(shorter: bytes, longer: bytes) -> bool:
    rest = iter(np.frombuffer(longer, dtype=np.uint32).tolist())
    return all(term in rest for term in np.frombuffer(shorter, dtype=np.uint32).tolist())
