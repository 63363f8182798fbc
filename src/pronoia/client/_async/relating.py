from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.client import requests
from pronoia.client._async.verbs import AsyncVerbs
from pronoia.client.models import Graph, Relationship, RelationshipList

if TYPE_CHECKING:
    from pronoia.client.models import RelationshipType
    from pronoia.client.requests import Identifier


class AsyncRelating(AsyncVerbs):
    """The verbs about how memories relate."""

    async def relate(
        self,
        memory_id: Identifier,
        related_memory_id: Identifier,
        relationship_type: RelationshipType = "related_to",
        *,
        strength: float | None = None,
        explanation: str | None = None,
        user_id: str | None = None,
    ) -> Relationship:
        """Relate one memory to another of the same user. `strength` lies in [0, 1]."""
        fields = {
            "memory_id": str(memory_id),
            "related_memory_id": str(related_memory_id),
            "relationship_type": relationship_type,
            "strength": strength,
            "explanation": explanation,
        }
        body = requests.encode(requests.present(fields))
        return await self._transport.send(requests.write("POST", "/relationships", user_id, body), Relationship)

    async def unrelate(self, relationship_id: Identifier, *, user_id: str | None = None) -> None:
        """Remove a relationship, by its own id. Raises NotFoundError if there is none."""
        path = requests.path_to("/relationships", relationship_id)
        await self._transport.run(requests.write("DELETE", path, user_id))

    async def relationships(
        self,
        memory_id: Identifier,
        *,
        relationship_type: RelationshipType | None = None,
        min_strength: float | None = None,
        limit: int | None = None,
        user_id: str | None = None,
    ) -> list[Relationship]:
        """Get what a memory is related to."""
        request = requests.read(
            requests.path_to("/relationships/memory", memory_id),
            user_id,
            {"type": relationship_type, "minStrength": min_strength, "limit": limit},
        )
        answer = await self._transport.send(request, RelationshipList)
        return answer.relationships

    async def graph(
        self,
        memory_id: Identifier,
        *,
        depth: int | None = None,
        min_strength: float | None = None,
        user_id: str | None = None,
    ) -> Graph:
        """Get the memories within `depth` relationships of one, and the relationships between them."""
        request = requests.read(
            requests.path_to("/relationships/graph", memory_id),
            user_id,
            {"depth": depth, "minStrength": min_strength},
        )
        return await self._transport.send(request, Graph)
