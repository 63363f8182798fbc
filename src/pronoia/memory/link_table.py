from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import msgspec
import numpy as np

from pronoia.domain.records import Relationship, RelationshipType
from pronoia.memory.columns import ID_BYTES, packed, packed_behind
from pronoia.ports.snapshots import RelationshipColumns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


RELATIONSHIP_TYPES = tuple(RelationshipType)


class PlainLink(msgspec.Struct, frozen=True, gc=False):
    """A relationship of bytes, numbers and a text: nothing that the garbage collector has to look at."""

    id: bytes
    """16 bytes, as those of both ends."""
    from_id: bytes
    to_id: bytes
    type: int
    """A place in RELATIONSHIP_TYPES."""
    strength: float
    explanation: str
    created_at: float
    """Seconds since the epoch."""

    def record(self) -> Relationship:
        """Render it as a record."""
        return Relationship(
            id=UUID(bytes=self.id),
            memory_id=UUID(bytes=self.from_id),
            related_memory_id=UUID(bytes=self.to_id),
            type=RELATIONSHIP_TYPES[self.type],
            strength=self.strength,
            explanation=self.explanation,
            created_at=datetime.fromtimestamp(self.created_at, UTC),
        )


def plain(relationship: Relationship) -> PlainLink:
    """Take a record apart."""
    return PlainLink(
        relationship.id.bytes,
        relationship.memory_id.bytes,
        relationship.related_memory_id.bytes,
        RELATIONSHIP_TYPES.index(relationship.type),
        relationship.strength,
        relationship.explanation,
        relationship.created_at.timestamp(),
    )


class Around(NamedTuple):
    """The n relationships of one memory in either direction, strongest first."""

    others: NDArray[np.void]
    """The ids of the memories at the other ends, 16 bytes each."""
    types: NDArray[np.intp]
    """Places in RELATIONSHIP_TYPES."""
    strengths: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinkColumns:
    """n relationships by column, all of the same length."""

    ids: NDArray[np.void]
    """16 bytes each, as those of both ends."""
    from_ids: NDArray[np.void]
    to_ids: NDArray[np.void]
    types: NDArray[np.intp]
    """Places in RELATIONSHIP_TYPES."""
    strengths: NDArray[np.float64]
    created_at: NDArray[np.float64]
    """Seconds since the epoch."""

    def places_by_type(self) -> dict[RelationshipType, NDArray[np.intp]]:
        """Give the places of each type that there is, in the order of their names."""
        codes: list[int] = np.unique(self.types).tolist()
        present = sorted(RELATIONSHIP_TYPES[code] for code in codes)
        return {kind: np.flatnonzero(self.types == RELATIONSHIP_TYPES.index(kind)) for kind in present}


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

    def find_all(self, relationship_ids: Sequence[bytes]) -> list[int]:
        """Find the rows of those relationships that are here and were not removed."""
        if not len(self._ids):
            return []
        keys = np.frombuffer(b"".join(relationship_ids), dtype=self._ids.dtype)
        rows = self._ids.searchsorted(keys).clip(max=len(self._ids) - 1)
        return rows[self._alive[rows] & (self._ids[rows] == keys)].tolist()

    def columns(self) -> LinkColumns:
        """Give what was not removed by column."""
        rows = np.flatnonzero(self._alive)
        return LinkColumns(
            ids=packed(self._id_bytes)[rows],
            from_ids=self._from.ids[rows],
            to_ids=self._to.ids[rows],
            types=self._types[rows].astype(np.intp),
            strengths=self._strengths[rows].astype(np.float64),
            created_at=self._times[rows].astype(np.float64),
        )

    def with_added(self, added: Sequence[PlainLink]) -> LinkTable:
        """Make a table of what was not removed and of others, whose ids are not in it."""
        rows = np.flatnonzero(self._alive)
        explanations = list(self._explanations)
        places = {text: place for place, text in enumerate(explanations)}
        for link in added:
            if link.explanation not in places:
                places[link.explanation] = len(explanations)
                explanations.append(link.explanation)
        ids = packed_behind(packed(self._id_bytes)[rows], [link.id for link in added])
        order = np.argsort(ids.view(self._ids.dtype), kind="stable")

        def column(loaded: NDArray[Any], values: list[Any]) -> bytes:
            joined = np.concatenate((loaded[rows], np.array(values)), dtype=loaded.dtype, casting="unsafe")
            return joined[order].tobytes()

        return LinkTable(
            RelationshipColumns(
                ids=ids[order].tobytes(),
                memory_ids=packed_behind(self._from.ids[rows], [link.from_id for link in added])[order].tobytes(),
                related_memory_ids=packed_behind(self._to.ids[rows], [link.to_id for link in added])[order].tobytes(),
                types=column(self._types, [link.type for link in added]),
                strengths=column(self._strengths, [link.strength for link in added]),
                explanations=explanations,
                explained_by=column(self._explained_by, [places[link.explanation] for link in added]),
                created_at=column(self._times, [link.created_at for link in added]),
            )
        )

    def remove(self, row: int) -> None:
        """Remove a relationship, and its explanation if no other has the same."""
        self._alive[row] = False
        explanation = int(self._explained_by[row])
        if not (self._alive & (self._explained_by == explanation)).any():
            self._explanations[explanation] = ""

    def outgoing(self, memory_id: UUID) -> list[Relationship]:
        return [self.relationship(row) for row in self._living(self._from.rows(memory_id)).tolist()]

    def incoming(self, memory_id: UUID) -> list[Relationship]:
        return [self.relationship(row) for row in self._living(self._to.rows(memory_id)).tolist()]

    def around(self, memory_id: UUID) -> Around:
        """Give the relationships of a memory in either direction."""
        outgoing, incoming = self._living(self._from.rows(memory_id)), self._living(self._to.rows(memory_id))
        others = np.concatenate((self._to.ids[outgoing], self._from.ids[incoming]))
        rows = np.concatenate((outgoing, incoming))
        strengths = self._strengths[rows].astype(np.float64)
        # Rows are in the order of their ids.
        order = np.lexsort((rows, -strengths))
        return Around(others[order], self._types[rows[order]].astype(np.intp), strengths[order])

    def _living(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        return rows[self._alive[rows]]

    def relationship(self, row: int) -> Relationship:
        """Render a row as a record."""
        return PlainLink(
            id=_id(self._id_bytes, row),
            from_id=self._from.memory_id(row),
            to_id=self._to.memory_id(row),
            type=int(self._types[row]),
            strength=float(self._strengths[row]),
            explanation=self._explanations[int(self._explained_by[row])],
            created_at=float(self._times[row]),
        ).record()


class _Ends:
    """The memories at one end, found by the second halves of their ids, which are random."""

    def __init__(self, memory_ids: bytes) -> None:
        self._memory_ids = memory_ids
        self.ids = packed(memory_ids)

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
        """The halves in order, and the row that each is of."""
        halves = np.frombuffer(self._memory_ids, dtype=">u8")[1::2].astype(np.uint64)
        order = np.argsort(halves)
        return halves[order], order

    def rows(self, memory_id: UUID) -> NDArray[np.intp]:
        """Find the rows that have this memory at this end."""
        halves, order = self._sorted
        half = np.uint64(memory_id.int & (1 << 64) - 1)
        rows = order[halves.searchsorted(half, "left") : halves.searchsorted(half, "right")]
        return rows[self.ids[rows] == np.void(memory_id.bytes)]

    def memory_id(self, row: int) -> bytes:
        return _id(self._memory_ids, row)


def _id(ids: bytes, row: int) -> bytes:
    return ids[row * ID_BYTES : (row + 1) * ID_BYTES]
