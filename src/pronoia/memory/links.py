from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.link_table import LinkColumns, LinkTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from pronoia.domain.records import Relationship, RelationshipType
    from pronoia.ports.snapshots import RelationshipColumns


class Links:
    """A user's relationships, found from either end: those that were loaded, and beside them what came since."""

    def __init__(self, loaded: RelationshipColumns) -> None:
        self._loaded = LinkTable(loaded)
        self._all: dict[UUID, Relationship] = {}
        self._outgoing: dict[UUID, dict[UUID, Relationship]] = {}
        self._incoming: dict[UUID, dict[UUID, Relationship]] = {}

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
        self._outgoing.setdefault(relationship.memory_id, {})[relationship.id] = relationship
        self._incoming.setdefault(relationship.related_memory_id, {})[relationship.id] = relationship

    def remove(self, relationship_id: UUID) -> None:
        """Remove a relationship if it is there."""
        loaded = self._loaded.find(relationship_id)
        if loaded is not None:
            self._loaded.remove(loaded)
        relationship = self._all.pop(relationship_id, None)
        if relationship is not None:
            self._outgoing[relationship.memory_id].pop(relationship_id, None)
            self._incoming[relationship.related_memory_id].pop(relationship_id, None)

    def remove_memory(self, memory_id: UUID) -> None:
        """Remove all relationships from and to a memory."""
        for relationship in (*self.outgoing(memory_id), *self.incoming(memory_id)):
            self.remove(relationship.id)
        self._outgoing.pop(memory_id, None)
        self._incoming.pop(memory_id, None)

    def outgoing(self, memory_id: UUID) -> list[Relationship]:
        """List relationships from a memory, strongest first."""
        return _strongest([*self._loaded.outgoing(memory_id), *self._outgoing.get(memory_id, {}).values()])

    def incoming(self, memory_id: UUID) -> list[Relationship]:
        """List relationships to a memory, strongest first."""
        return _strongest([*self._loaded.incoming(memory_id), *self._incoming.get(memory_id, {}).values()])

    def of_strength(self, memory_id: UUID, least: float) -> list[Relationship]:
        """List relationships from and to a memory that are at least so strong, strongest first."""
        added = [*self._outgoing.get(memory_id, {}).values(), *self._incoming.get(memory_id, {}).values()]
        loaded = chain(self._loaded.outgoing(memory_id, least), self._loaded.incoming(memory_id, least))
        return _strongest([*loaded, *(link for link in added if link.strength >= least)])

    def others(self, memory_id: UUID) -> tuple[list[bytes], list[float]]:
        """Give the memories at the other ends, by the 16 bytes of their ids, and how strong each relationship is."""
        keys, strengths = self._loaded.others(memory_id)
        # Another thread may ask while the set changes.
        outgoing = list(self._outgoing.get(memory_id, {}).values())
        incoming = list(self._incoming.get(memory_id, {}).values())
        keys += [link.related_memory_id.bytes for link in outgoing] + [link.memory_id.bytes for link in incoming]
        strengths += [link.strength for link in chain(outgoing, incoming)]
        return keys, strengths

    def find(self, relationship_id: UUID) -> Relationship | None:
        loaded = self._loaded.find(relationship_id)
        return self._all.get(relationship_id) if loaded is None else self._loaded.relationship(loaded)

    def columns(self) -> LinkColumns:
        """Give all by column: 100,000 take a tenth of a second, so not on the event loop."""
        loaded, added = self._loaded.columns(), list(self._all.values())
        return LinkColumns(
            keys=loaded.keys + [link.id.bytes for link in added],
            from_keys=loaded.from_keys + [link.memory_id.bytes for link in added],
            to_keys=loaded.to_keys + [link.related_memory_id.bytes for link in added],
            types=loaded.types + [link.type for link in added],
            strengths=np.append(loaded.strengths, [link.strength for link in added]),
            created_at=np.append(loaded.created_at, [link.created_at.timestamp() for link in added]),
        )

    def strengths(self) -> Iterator[tuple[RelationshipType, float]]:
        """Give the type and strength of each."""
        return chain(self._loaded.strengths(), ((link.type, link.strength) for link in list(self._all.values())))


def _strongest(links: list[Relationship]) -> list[Relationship]:
    return sorted(links, key=lambda link: (-link.strength, link.id))
