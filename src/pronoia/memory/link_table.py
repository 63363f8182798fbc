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
HALF = (1 << 64) - 1
"""Of an id: its last bits, which are random."""


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
        self._ends = _Ends(columns.memory_ids, columns.related_memory_ids, self._strengths)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._alive))

    def __iter__(self) -> Iterator[Relationship]:
        return (self.relationship(int(row)) for row in np.flatnonzero(self._alive))

    @property
    def nbytes(self) -> int:
        """Ids, both ends with their order, type, strength, explanation and time."""
        return len(self._ids) * (3 * ID_BYTES + 2 * 12 + 1 + 8 + 4 + 8 + 1) + 128 * len(self._explanations)

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
            from_ids=self._ends.from_ids[rows],
            to_ids=self._ends.to_ids[rows],
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
        from_ids = packed_behind(self._ends.from_ids[rows], [link.from_id for link in added])
        to_ids = packed_behind(self._ends.to_ids[rows], [link.to_id for link in added])
        order = np.argsort(ids.view(self._ids.dtype), kind="stable")

        def column(loaded: NDArray[Any], values: list[Any]) -> bytes:
            joined = np.concatenate((loaded[rows], np.array(values)), dtype=loaded.dtype, casting="unsafe")
            return joined[order].tobytes()

        return LinkTable(
            RelationshipColumns(
                ids=ids[order].tobytes(),
                memory_ids=from_ids[order].tobytes(),
                related_memory_ids=to_ids[order].tobytes(),
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
        places = self._places(memory_id)
        return [self.relationship(place) for place in places.tolist() if place < len(self._ids)]

    def incoming(self, memory_id: UUID) -> list[Relationship]:
        places = self._places(memory_id) - len(self._ids)
        return [self.relationship(place) for place in places.tolist() if place >= 0]

    def around(self, memory_id: UUID) -> Around:
        """Give the relationships of a memory in either direction."""
        places = self._places(memory_id)
        rows = places % len(self._ids)
        return Around(
            self._ends.opposite(places), self._types[rows].astype(np.intp), self._strengths[rows].astype(np.float64)
        )

    def _places(self, memory_id: UUID) -> NDArray[np.intp]:
        """Find the ends at a memory of what was not removed, the strongest first."""
        places = self._ends.at(memory_id)
        return places[self._alive[places % len(self._ids)]]

    def relationship(self, row: int) -> Relationship:
        """Render a row as a record."""
        return PlainLink(
            id=packed(self._id_bytes)[row].tobytes(),
            from_id=self._ends.from_ids[row].tobytes(),
            to_id=self._ends.to_ids[row].tobytes(),
            type=int(self._types[row]),
            strength=float(self._strengths[row]),
            explanation=self._explanations[int(self._explained_by[row])],
            created_at=float(self._times[row]),
        ).record()


class _Ends:
    """The 2n ends of n relationships: place `row` is the memory that one is from, place `n + row` the one it is to."""

    def __init__(self, from_ids: bytes, to_ids: bytes, strengths: NDArray[np.float64]) -> None:
        self._count = len(strengths)
        self._ids = packed(from_ids + to_ids)
        self._strengths = strengths
        self._mask = (1 << len(self._ids).bit_length()) - 1

    @property
    def from_ids(self) -> NDArray[np.void]:
        return self._ids[: self._count]

    @property
    def to_ids(self) -> NDArray[np.void]:
        return self._ids[self._count :]

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """The places with the strongest first, and keys that find them: an id's last, random bits, and an index."""
        by_strength = np.argsort(-self._strengths, kind="stable").astype(np.int32)
        places = np.stack((by_strength, by_strength + self._count), axis=1).ravel()
        halves = self._ids.view(">u8")[1::2].astype(np.uint64)[places]
        indexes = np.arange(len(places), dtype=np.uint64)
        return np.sort(halves & np.uint64(HALF & ~self._mask) | indexes), places

    def at(self, memory_id: UUID) -> NDArray[np.intp]:
        """Find the places that are a memory's, the strongest first; of equals, the lower row."""
        keys, places = self._sorted
        first, last = np.uint64(memory_id.int & HALF & ~self._mask), np.uint64(memory_id.int & HALF | self._mask)
        found = keys[keys.searchsorted(first) : keys.searchsorted(last, "right")] & np.uint64(self._mask)
        own = places[found.astype(np.intp)].astype(np.intp)
        return own[self._ids[own] == np.void(memory_id.bytes)]

    def opposite(self, places: NDArray[np.intp]) -> NDArray[np.void]:
        """Give the ids at the other ends."""
        return self._ids[places - self._count]  # of the first n, that counts from the end
