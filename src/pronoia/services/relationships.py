"""Relationships between memories, and the graph they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.domain.errors import InvalidInputError, NotFoundError
from pronoia.domain.identifiers import new_id
from pronoia.domain.records import Memory, Relationship, RelationshipType
from pronoia.ports.memory_store import RelationshipCount
from pronoia.ports.snapshots import UserState
from pronoia.services.drafts import check_characters

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Idempotency
    from pronoia.memory.excerpts import Excerpts
    from pronoia.memory.residents import Residents
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.ports.memory_store import MemoryStore, Related
    from pronoia.services.changes import Changes

MAXIMUM_EXPLANATION = 200
MAXIMUM_DEPTH = 10
EDGES_OF_A_NODE = 20
MAXIMUM_NODES = 200
EDGES_LISTED = 1_000
"""Of one memory of a user above the resident limit."""


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: list[Memory]
    edges: list[Relationship]
    depths: dict[UUID, int]
    """Steps from the root, a memory."""


class Relationships:
    """Reads come from the working set, or above the resident limit from one of the memories around.

    Writes are durable before they are answered.
    """

    def __init__(
        self, *, store: MemoryStore, residents: Residents, excerpts: Excerpts, changes: Changes, clock: Clock
    ) -> None:
        self._store = store
        self._residents = residents
        self._excerpts = excerpts
        self._changes = changes
        self._clock = clock

    async def of(
        self,
        scope: Scope,
        memory_id: UUID,
        kind: RelationshipType | None,
        minimum_strength: float,
        limit: int,
        minimum_version: int | None = None,
    ) -> list[tuple[Relationship, Memory]]:
        """List what a memory is related to, strongest first, with the memory at the other end."""
        held = await self._around(scope, memory_id, minimum_version)
        found = [
            (link, held.memory(self._row(held, link.related_memory_id)))
            for link in held.links.outgoing(memory_id)
            if link.strength >= minimum_strength and kind in (None, link.type)
        ]
        return found[:limit]

    async def both(
        self, scope: Scope, memory_id: UUID, minimum_version: int | None = None
    ) -> tuple[list[Relationship], list[Relationship]]:
        """List relationships from and to a memory."""
        held = await self._around(scope, memory_id, minimum_version)
        return held.links.outgoing(memory_id), held.links.incoming(memory_id)

    async def graph(
        self, scope: Scope, memory_id: UUID, depth: int, minimum_strength: float, minimum_version: int | None = None
    ) -> Graph:
        """Walk outwards from a memory, at most MAXIMUM_NODES memories."""
        steps = min(depth, MAXIMUM_DEPTH)
        held = await self._around(scope, memory_id, minimum_version, steps, EDGES_OF_A_NODE, MAXIMUM_NODES)
        depths = {memory_id: 0}
        edges: dict[UUID, Relationship] = {}
        frontier = [memory_id]
        for step in range(1, steps + 1):
            reached: list[UUID] = []
            for one in frontier:
                for link in (held.links.outgoing(one) + held.links.incoming(one))[:EDGES_OF_A_NODE]:
                    other = link.related_memory_id if link.memory_id == one else link.memory_id
                    if link.strength < minimum_strength or (other not in depths and len(depths) >= MAXIMUM_NODES):
                        continue
                    edges[link.id] = link
                    if other not in depths:
                        depths[other] = step
                        reached.append(other)
            frontier = reached
        nodes = [held.memory(self._row(held, one)) for one in depths]
        return Graph(nodes, list(edges.values()), depths)

    async def types(self, scope: Scope, minimum_version: int | None = None) -> list[RelationshipCount]:
        """Count relationships by type."""
        held = await self._residents.get(scope, minimum_version)
        if held is None:
            return await self._store.relationship_types(scope)
        columns = held.links.columns()
        return [
            RelationshipCount(kind, len(places), float(columns.strengths[places].mean()))
            for kind, places in columns.places_by_type().items()
        ]

    async def add(
        self,
        scope: Scope,
        memory_id: UUID,
        related_memory_id: UUID,
        *,
        kind: RelationshipType,
        strength: float,
        explanation: str,
        idempotency: Idempotency | None = None,
    ) -> Related:
        """Write a relationship. Raises NotFoundError if either memory is not the user's."""
        if memory_id == related_memory_id:
            raise InvalidInputError("A memory cannot be related to itself.", field="related_memory_id")
        if not 0 <= strength <= 1:
            raise InvalidInputError("strength must lie between 0 and 1.", field="strength", limit=1)
        check_characters(explanation, "explanation")
        if len(explanation) > MAXIMUM_EXPLANATION:
            raise InvalidInputError(
                f"explanation may have {MAXIMUM_EXPLANATION} characters.",
                field="explanation",
                limit=MAXIMUM_EXPLANATION,
            )
        now = self._clock.now()
        link = Relationship(new_id(now), memory_id, related_memory_id, kind, strength, explanation, now)
        return self._noted(scope, await self._store.relate(scope, link, idempotency))

    async def remove(self, scope: Scope, relationship_id: UUID, idempotency: Idempotency | None = None) -> Related:
        """Remove a relationship. Raises NotFoundError."""
        return self._noted(scope, await self._store.unrelate(scope, relationship_id, idempotency))

    def _noted(self, scope: Scope, related: Related) -> Related:
        self._residents.heard(scope.digest, related.version, 0)
        self._changes.note(scope, UserState(related.version, 0, 0))
        return related

    async def _around(
        self,
        scope: Scope,
        memory_id: UUID,
        minimum_version: int | None,
        steps: int = 1,
        edges: int = EDGES_LISTED,
        limit: int = EDGES_LISTED + 1,
    ) -> WorkingSet:
        """Give a set that holds a memory and what is related to it. Raises NotFoundError if the memory is not there."""
        held = await self._residents.get(scope, minimum_version)
        if held is None:
            held = await self._excerpts.neighbourhood(scope, memory_id, steps=steps, edges=edges, limit=limit)
        self._row(held, memory_id)
        return held

    def _row(self, held: WorkingSet, memory_id: UUID) -> int:
        row = held.row_of(memory_id)
        if row is None:
            raise NotFoundError("There is no such memory.", id=str(memory_id))
        return row
