from __future__ import annotations

from copy import copy
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.columns import packed_behind
from pronoia.memory.link_table import RELATIONSHIP_TYPES, Around, LinkColumns, LinkTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from pronoia.domain.records import Relationship
    from pronoia.ports.snapshots import RelationshipColumns

FEWEST_JOINED = 512


class Links:
    """A user's relationships, found from either end: those that were loaded, and beside them what came since.

    What came since is a record each, ten times as large and one more object for the garbage collector to look at, until
    it is more than an eighth of what was loaded: then it joins that.
    """

    def __init__(self, loaded: RelationshipColumns) -> None:
        self._loaded = LinkTable(loaded)
        self._most_added = _most_beside(len(self._loaded))
        self._all: dict[UUID, Relationship] = {}
        self._outgoing: dict[UUID, set[UUID]] = {}
        self._incoming: dict[UUID, set[UUID]] = {}

    def __len__(self) -> int:
        return len(self._loaded) + len(self._all)

    def __iter__(self) -> Iterator[Relationship]:
        """Give those that are there now. Another thread may go through them while the set changes."""
        return chain(iter(self._loaded), list(self._all.values()))

    @property
    def nbytes(self) -> int:
        return self._loaded.nbytes + 800 * len(self._all)

    def add(self, relationship: Relationship) -> None:
        """Add a relationship, or replace the one with its id."""
        self.remove(relationship.id)
        self._all[relationship.id] = relationship
        self._outgoing.setdefault(relationship.memory_id, set()).add(relationship.id)
        self._incoming.setdefault(relationship.related_memory_id, set()).add(relationship.id)
        if len(self._all) > self._most_added:
            self._join()

    def frozen(self) -> Links:
        """Give what there is now, for another thread: joining makes new parts and leaves these as they are."""
        return copy(self)

    def _join(self) -> None:
        self._loaded = self._loaded.with_added(list(self._all.values()))
        self._all, self._outgoing, self._incoming = {}, {}, {}
        self._most_added = _most_beside(len(self._loaded))

    def remove(self, relationship_id: UUID) -> None:
        """Remove a relationship if it is there."""
        loaded = self._loaded.find(relationship_id)
        if loaded is not None:
            self._loaded.remove(loaded)
        relationship = self._all.pop(relationship_id, None)
        if relationship is not None:
            self._outgoing[relationship.memory_id].discard(relationship_id)
            self._incoming[relationship.related_memory_id].discard(relationship_id)

    def remove_memory(self, memory_id: UUID) -> None:
        """Remove all relationships from and to a memory."""
        for relationship in (*self.outgoing(memory_id), *self.incoming(memory_id)):
            self.remove(relationship.id)
        self._outgoing.pop(memory_id, None)
        self._incoming.pop(memory_id, None)

    def outgoing(self, memory_id: UUID) -> list[Relationship]:
        """List relationships from a memory, strongest first."""
        return self._strongest(self._loaded.outgoing(memory_id), self._outgoing.get(memory_id, ()))

    def incoming(self, memory_id: UUID) -> list[Relationship]:
        """List relationships to a memory, strongest first."""
        return self._strongest(self._loaded.incoming(memory_id), self._incoming.get(memory_id, ()))

    def around(self, memory_id: UUID) -> Around:
        """Give the relationships of a memory in either direction, without making records of them."""
        loaded = self._loaded.around(memory_id)
        outgoing, incoming = self._outgoing.get(memory_id, ()), self._incoming.get(memory_id, ())
        if not outgoing and not incoming:
            return loaded
        added = [self._all[one] for one in sorted((*outgoing, *incoming))]
        others = [link.related_memory_id if link.memory_id == memory_id else link.memory_id for link in added]
        strengths = np.append(loaded.strengths, [link.strength for link in added])
        order = np.argsort(-strengths, kind="stable")
        return Around(
            packed_behind(loaded.others, others)[order],
            np.append(loaded.types, [RELATIONSHIP_TYPES.index(link.type) for link in added])[order],
            strengths[order],
        )

    def find(self, relationship_id: UUID) -> Relationship | None:
        loaded = self._loaded.find(relationship_id)
        return self._all.get(relationship_id) if loaded is None else self._loaded.relationship(loaded)

    def columns(self) -> LinkColumns:
        """Give all by column."""
        loaded, added = self._loaded.columns(), list(self._all.values())
        types = [RELATIONSHIP_TYPES.index(link.type) for link in added]
        return LinkColumns(
            ids=packed_behind(loaded.ids, [link.id for link in added]),
            from_ids=packed_behind(loaded.from_ids, [link.memory_id for link in added]),
            to_ids=packed_behind(loaded.to_ids, [link.related_memory_id for link in added]),
            types=np.concatenate((loaded.types, np.array(types, dtype=np.intp))),
            strengths=np.append(loaded.strengths, [link.strength for link in added]),
            created_at=np.append(loaded.created_at, [link.created_at.timestamp() for link in added]),
        )

    def _strongest(self, loaded: list[Relationship], added: Iterable[UUID]) -> list[Relationship]:
        every = chain(loaded, (self._all[one] for one in added))
        return sorted(every, key=lambda link: (-link.strength, link.id))


def _most_beside(loaded: int) -> int:
    return max(FEWEST_JOINED, loaded // 8)
