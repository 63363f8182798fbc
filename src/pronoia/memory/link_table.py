from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from pronoia.domain.records import Relationship, RelationshipType
from pronoia.memory.columns import ID_BYTES, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pronoia.ports.snapshots import RelationshipColumns


_TYPES = list(RelationshipType)


@dataclass(frozen=True, slots=True)
class LinkColumns:
    """n relationships by column, all of the same length. Keys are the 16 bytes of ids."""

    keys: list[bytes]
    from_keys: list[bytes]
    to_keys: list[bytes]
    types: list[RelationshipType]
    strengths: NDArray[np.float64]
    created_at: NDArray[np.float64]
    """Seconds since the epoch."""


class LinkTable:
    """Relationships as they were loaded, by column. One becomes a record when it is asked for: a set has many."""

    def __init__(self, columns: RelationshipColumns) -> None:
        self._id_bytes = columns.ids
        self._ids = np.frombuffer(columns.ids, dtype=f"S{ID_BYTES}")
        self._alive = np.ones(len(self._ids), dtype=np.bool_)
        self._types = np.frombuffer(columns.types, dtype=np.uint8)
        self._explanations = list(columns.explanations)
        self._explained_by = np.frombuffer(columns.explained_by, dtype="<i4")
        self._strengths = np.frombuffer(columns.strengths, dtype=">f8")
        self._times = np.frombuffer(columns.created_at, dtype=">f8")
        self._from = _Ends(columns.memory_ids)
        self._to = _Ends(columns.related_memory_ids)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._alive))

    def __iter__(self) -> Iterator[Relationship]:
        return (self.relationship(int(row)) for row in np.flatnonzero(self._alive))

    @property
    def nbytes(self) -> int:
        """Ids, both ends with their order, type, strength, explanation and time."""
        return len(self._ids) * (3 * ID_BYTES + 2 * 16 + 1 + 8 + 4 + 8 + 1) + 128 * len(self._explanations)

    def find(self, relationship_id: UUID) -> int | None:
        """Find the row of a relationship that was not removed."""
        key = np.frombuffer(relationship_id.bytes, dtype=self._ids.dtype)
        row = int(np.searchsorted(self._ids, key)[0])
        found = row < len(self._ids) and self._alive[row] and self._ids[row] == key[0]
        return row if found else None

    def columns(self) -> LinkColumns:
        """Give what was not removed by column."""
        rows = np.flatnonzero(self._alive)
        return LinkColumns(
            keys=split(self._ids[rows].tobytes()),
            from_keys=self._from.keys(rows),
            to_keys=self._to.keys(rows),
            types=[_TYPES[code] for code in self._types[rows].tolist()],
            strengths=self._strengths[rows].astype(np.float64),
            created_at=self._times[rows].astype(np.float64),
        )

    def remove(self, row: int) -> None:
        """Remove a relationship, and its explanation if no other has the same."""
        self._alive[row] = False
        explanation = int(self._explained_by[row])
        if not (self._alive & (self._explained_by == explanation)).any():
            self._explanations[explanation] = ""

    def outgoing(self, memory_id: UUID, least: float = 0.0) -> list[Relationship]:
        """Render those from a memory that are at least so strong."""
        return self._rendered(self._from.rows(memory_id), least)

    def incoming(self, memory_id: UUID, least: float = 0.0) -> list[Relationship]:
        """Render those to a memory that are at least so strong."""
        return self._rendered(self._to.rows(memory_id), least)

    def others(self, memory_id: UUID) -> tuple[list[bytes], list[float]]:
        """Give the keys of the memories that one is related to, and how strongly."""
        outgoing, incoming = self._living(self._from.rows(memory_id)), self._living(self._to.rows(memory_id))
        keys = self._to.keys(outgoing) + self._from.keys(incoming)
        return keys, self._strengths[np.concatenate((outgoing, incoming))].tolist()

    def strengths(self) -> Iterator[tuple[RelationshipType, float]]:
        """Give the type and strength of each."""
        rows = np.flatnonzero(self._alive)
        codes: list[int] = self._types[rows].tolist()
        strengths: list[float] = self._strengths[rows].tolist()
        return ((_TYPES[code], strength) for code, strength in zip(codes, strengths, strict=True))

    def _living(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return rows[self._alive[rows]]

    def _rendered(self, rows: NDArray[np.intp], least: float) -> list[Relationship]:
        if not len(rows):
            return []
        return [self.relationship(row) for row in rows[self._alive[rows] & (self._strengths[rows] >= least)].tolist()]

    def relationship(self, row: int) -> Relationship:
        """Render a row as a record."""
        return Relationship(
            id=_id(self._id_bytes, row),
            memory_id=self._from.memory_id(row),
            related_memory_id=self._to.memory_id(row),
            type=_TYPES[int(self._types[row])],
            strength=float(self._strengths[row]),
            explanation=self._explanations[int(self._explained_by[row])],
            created_at=datetime.fromtimestamp(float(self._times[row]), UTC),
        )


class _Ends:
    """The memories at one end, found by the second halves of their ids, which are random."""

    def __init__(self, memory_ids: bytes) -> None:
        self._memory_ids = memory_ids

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
        """The halves in order, and the row that each is of."""
        halves = np.frombuffer(self._memory_ids, dtype=">u8")[1::2].astype(np.uint64)
        order = np.argsort(halves)
        return halves[order], order

    def rows(self, memory_id: UUID) -> NDArray[np.intp]:
        halves, order = self._sorted
        half = np.uint64(memory_id.int & (1 << 64) - 1)
        first = int(halves.searchsorted(half, "left"))
        rows = order[first : first + int(halves[first:].searchsorted(half, "right"))]
        if not len(rows):
            return rows
        return rows[np.frombuffer(self._memory_ids, dtype=">u8")[::2][rows] == np.uint64(memory_id.int >> 64)]

    def keys(self, rows: NDArray[np.intp]) -> list[bytes]:
        return split(np.frombuffer(self._memory_ids, dtype=f"V{ID_BYTES}")[rows].tobytes())

    def memory_id(self, row: int) -> UUID:
        return _id(self._memory_ids, row)


def _id(ids: bytes, row: int) -> UUID:
    return UUID(bytes=ids[row * ID_BYTES : (row + 1) * ID_BYTES])
