"""Arrays that grow. Growing makes a new buffer, so that a view taken before stays as it was."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
SMALLEST = 16
ID_BYTES = 16


def split(ids: bytes) -> list[bytes]:
    """Split ids that follow each other, 16 bytes an id."""
    return [ids[at : at + ID_BYTES] for at in range(0, len(ids), ID_BYTES)]


def packed(ids: bytes) -> NDArray[np.void]:
    """View ids that follow each other as an array of 16 bytes an id."""
    return np.frombuffer(ids, dtype=f"V{ID_BYTES}")


def packed_behind(ids: NDArray[np.void], added: Sequence[bytes]) -> NDArray[np.void]:
    """Put more ids, 16 bytes each, behind packed ones."""
    return np.concatenate((ids, packed(b"".join(added))))


def spread(starts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Give the places of n runs, one behind the other: `counts` places from each of `starts` on."""
    return np.arange(int(counts.sum())) + np.repeat(starts - (np.cumsum(counts) - counts), counts)


class Column(Generic[Scalar]):
    """A growable array of one number, or one row of `width` numbers, an entry."""

    def __init__(self, kind: DTypeLike, width: int = 0) -> None:
        self._shape = (width,) if width else ()
        self._buffer: NDArray[Any] = np.zeros((SMALLEST, *self._shape), dtype=kind)
        self.values: NDArray[Scalar] = self._buffer[:0]
        """The entries there are now; writing to them writes the column."""

    @property
    def nbytes(self) -> int:
        return self._buffer.nbytes

    def frozen(self) -> Self:
        """Give the entries there are now, for another thread."""
        return copy(self)

    def extend(self, values: NDArray[Any] | Sequence[float]) -> None:
        """Append entries."""
        added = np.asarray(values, dtype=self._buffer.dtype)
        size = len(self.values)
        self._show(size + len(added))
        self.values[size:] = added

    def append(self, value: float) -> None:
        """Append one entry, a row of equal numbers where an entry is a row."""
        size = len(self.values)
        self._show(size + 1)
        self.values[size] = value

    def _show(self, size: int) -> None:
        """View more entries. Kept, because they are looked at far more often than added to."""
        if size > len(self._buffer):
            grown = np.zeros((max(size, 2 * len(self._buffer)), *self._shape), dtype=self._buffer.dtype)
            grown[: len(self.values)] = self.values
            self._buffer = grown
        self.values = self._buffer[:size]


class Categories:
    """A column of names from a small set, kept as codes; -1 is no name."""

    def __init__(self) -> None:
        self._codes: Column[np.int32] = Column(np.int32)
        self.names: list[str] = []
        self._known: dict[str | None, int] = {None: -1}

    @property
    def codes(self) -> NDArray[np.int32]:
        return self._codes.values

    @property
    def nbytes(self) -> int:
        return self._codes.nbytes + 128 * len(self.names)

    def frozen(self) -> Categories:
        """Give the entries there are now, for another thread. Names may be added to or blanked meanwhile."""
        frozen = copy(self)
        vars(frozen)["_codes"] = self._codes.frozen()
        return frozen

    def extend(self, names: Sequence[str | None]) -> None:
        """Append names."""
        for name in dict.fromkeys(names):
            if name is not None and name not in self._known:
                self._known[name] = len(self.names)
                self.names.append(name)
        self._codes.extend(np.fromiter(map(self._known.__getitem__, names), dtype=np.int32, count=len(names)))

    def blank(self, code: int) -> None:
        """Let go of a name that no row needs any more."""
        del self._known[self.names[code]]
        self.names[code] = ""

    def name(self, row: int) -> str | None:
        """Give the name at a row."""
        code = int(self.codes[row])
        return None if code < 0 else self.names[code]

    def code(self, name: str) -> int:
        """Give the code of a name, or -2, which no row has, for one never seen."""
        return self._known.get(name, -2)
