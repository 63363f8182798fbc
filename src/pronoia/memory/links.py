from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from pronoia.domain.records import Relationship


class Links:
    """A user's relationships, found from either end."""

    def __init__(self) -> None:
        self._all: dict[UUID, Relationship] = {}
        self._outgoing: dict[UUID, set[UUID]] = {}
        self._incoming: dict[UUID, set[UUID]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Relationship]:
        return iter(self._all.values())

    @property
    def nbytes(self) -> int:
        return 800 * len(self._all)

    def add(self, relationship: Relationship) -> None:
        """Add a relationship, or replace the one with its id."""
        self.remove(relationship.id)
        self._all[relationship.id] = relationship
        self._outgoing.setdefault(relationship.memory_id, set()).add(relationship.id)
        self._incoming.setdefault(relationship.related_memory_id, set()).add(relationship.id)

    def remove(self, relationship_id: UUID) -> None:
        """Remove a relationship if it is there."""
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
        return self._strongest(self._outgoing.get(memory_id, ()))

    def incoming(self, memory_id: UUID) -> list[Relationship]:
        """List relationships to a memory, strongest first."""
        return self._strongest(self._incoming.get(memory_id, ()))

    def find(self, relationship_id: UUID) -> Relationship | None:
        return self._all.get(relationship_id)

    def _strongest(self, ids: Iterable[UUID]) -> list[Relationship]:
        return sorted((self._all[one] for one in ids), key=lambda link: (-link.strength, link.id))
