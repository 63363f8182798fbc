from __future__ import annotations

from copy import copy
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.columns import packed_behind
from pronoia.memory.link_table import Around, LinkColumns, LinkTable, PlainLink, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from pronoia.domain.records import Relationship
    from pronoia.ports.snapshots import RelationshipColumns

FEWEST_JOINED = 512


class Links:
    """A user's relationships, found from either end: those that were loaded, and beside them what came since.

    What came since takes five times the bytes, until it is more than an eighth of what was loaded: then it joins that.
    """

    def __init__(self, loaded: RelationshipColumns) -> None:
        self._loaded = LinkTable(loaded)
        self._most_added = _most_beside(len(self._loaded))
        self._added: dict[bytes, PlainLink] = {}
        self._ends: dict[bytes, tuple[bytes, ...]] = {}
        """The ids of those that were added, by the memory at either end."""

    def __len__(self) -> int:
        return len(self._loaded) + len(self._added)

    def __iter__(self) -> Iterator[Relationship]:
        """Give those that are there now. Another thread may go through them while the set changes."""
        return chain(iter(self._loaded), (link.record() for link in list(self._added.values())))

    @property
    def nbytes(self) -> int:
        return self._loaded.nbytes + 500 * len(self._added)

    def add(self, relationships: Sequence[Relationship]) -> None:
        """Add relationships, or replace those with their ids."""
        links = [plain(one) for one in relationships]
        for row in self._loaded.find_all([link.id for link in links]):
            self._loaded.remove(row)
        for link in links:
            self._remove_added(link.id)
            self._added[link.id] = link
            for end in {link.from_id, link.to_id}:
                self._ends[end] = (*self._ends.get(end, ()), link.id)
        if len(self._added) > self._most_added:
            self._join()

    def frozen(self) -> Links:
        """Give what there is now, for another thread: joining makes new parts and leaves these as they are."""
        return copy(self)

    def _join(self) -> None:
        self._loaded = self._loaded.with_added(list(self._added.values()))
        self._added, self._ends = {}, {}
        self._most_added = _most_beside(len(self._loaded))

    def remove(self, relationship_id: UUID) -> None:
        """Remove a relationship if it is there."""
        for row in self._loaded.find_all([relationship_id.bytes]):
            self._loaded.remove(row)
        self._remove_added(relationship_id.bytes)

    def _remove_added(self, relationship_id: bytes) -> None:
        added = self._added.pop(relationship_id, None)
        if added is not None:
            for end in {added.from_id, added.to_id}:
                self._ends[end] = tuple(one for one in self._ends[end] if one != added.id)

    def remove_memory(self, memory_id: UUID) -> None:
        """Remove all relationships from and to a memory."""
        for relationship in (*self.outgoing(memory_id), *self.incoming(memory_id)):
            self.remove(relationship.id)
        self._ends.pop(memory_id.bytes, None)

    def outgoing(self, memory_id: UUID) -> list[Relationship]:
        """List relationships from a memory, strongest first."""
        added = [link for link in self._added_around(memory_id) if link.from_id == memory_id.bytes]
        return _strongest(self._loaded.outgoing(memory_id), added)

    def incoming(self, memory_id: UUID) -> list[Relationship]:
        """List relationships to a memory, strongest first."""
        added = [link for link in self._added_around(memory_id) if link.to_id == memory_id.bytes]
        return _strongest(self._loaded.incoming(memory_id), added)

    def around(self, memory_id: UUID) -> Around:
        """Give the relationships of a memory in either direction, without making records of them."""
        loaded, added = self._loaded.around(memory_id), self._added_around(memory_id)
        if not added:
            return loaded
        others = [link.to_id if link.from_id == memory_id.bytes else link.from_id for link in added]
        strengths = np.append(loaded.strengths, [link.strength for link in added])
        order = np.argsort(-strengths, kind="stable")
        return Around(
            packed_behind(loaded.others, others)[order],
            np.append(loaded.types, [link.type for link in added])[order],
            strengths[order],
        )

    def find(self, relationship_id: UUID) -> Relationship | None:
        for row in self._loaded.find_all([relationship_id.bytes]):
            return self._loaded.relationship(row)
        added = self._added.get(relationship_id.bytes)
        return None if added is None else added.record()

    def columns(self) -> LinkColumns:
        """Give all by column."""
        loaded, added = self._loaded.columns(), list(self._added.values())
        return LinkColumns(
            ids=packed_behind(loaded.ids, [link.id for link in added]),
            from_ids=packed_behind(loaded.from_ids, [link.from_id for link in added]),
            to_ids=packed_behind(loaded.to_ids, [link.to_id for link in added]),
            types=np.concatenate((loaded.types, np.array([link.type for link in added], dtype=np.intp))),
            strengths=np.append(loaded.strengths, [link.strength for link in added]),
            created_at=np.append(loaded.created_at, [link.created_at for link in added]),
        )

    def _added_around(self, memory_id: UUID) -> list[PlainLink]:
        """Find what was added around a memory. Another thread may remove one of them meanwhile."""
        found = (self._added.get(one) for one in sorted(self._ends.get(memory_id.bytes, ())))
        return [link for link in found if link is not None]


def _strongest(loaded: list[Relationship], added: Iterable[PlainLink]) -> list[Relationship]:
    every = chain(loaded, (link.record() for link in added))
    return sorted(every, key=lambda link: (-link.strength, link.id))


def _most_beside(loaded: int) -> int:
    return max(FEWEST_JOINED, loaded // 8)
