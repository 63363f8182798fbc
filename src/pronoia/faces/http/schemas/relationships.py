from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated
from uuid import UUID  # noqa: TC003

from msgspec import UNSET, Meta, Struct, UnsetType, field

from pronoia.domain.records import RelationshipType  # noqa: TC001
from pronoia.faces.http.schemas.memories import MemoryAnswer, UserId  # noqa: TC001

Strength = Annotated[float, Meta(ge=0, le=1)]


class NewRelationshipBody(Struct, kw_only=True):
    memory_id: UUID
    related_memory_id: UUID
    relationship_type: RelationshipType | None = None
    type: Annotated[RelationshipType | None, Meta(description="Another name of relationship_type.")] = None
    strength: Strength | None = None
    explanation: Annotated[str, Meta(max_length=200)] | None = None
    user_id: UserId = None


class RelationshipsQuery(Struct, kw_only=True, rename={"minimum_strength": "minStrength"}):
    type: RelationshipType | None = None
    minimum_strength: Strength = 0.0
    limit: Annotated[int, Meta(ge=1)] = 50


class GraphQuery(Struct, kw_only=True, rename={"minimum_strength": "minStrength"}):
    depth: Annotated[int, Meta(ge=1)] = 1
    minimum_strength: Strength = 0.6


class NodeGraphQuery(Struct, kw_only=True):
    depth: Annotated[int, Meta(ge=1)] = 2


class Node(Struct):
    id: UUID
    text: str
    created_at: datetime


class RelationshipAnswer(Struct, kw_only=True):
    id: UUID
    memory_id: UUID
    related_memory_id: UUID
    relationship_type: str
    type: str
    strength: float
    explanation: str
    created_at: datetime
    related_memory: Node | UnsetType = UNSET


class RelationshipsAnswer(Struct, kw_only=True):
    memory_id: UUID
    memory_id_of_old: UUID = field(name="memoryId")
    relationships: list[RelationshipAnswer]
    count: int


class Edge(Struct, kw_only=True):
    id: UUID
    source: UUID = field(name="from")
    target: UUID = field(name="to")
    type: str
    strength: float
    explanation: str


class NodesAndEdges(Struct):
    nodes: list[Node]
    edges: list[Edge]


class GraphStatistics(Struct, rename="camel"):
    node_count: int
    edge_count: int
    depth: int


class GraphAnswer(Struct, kw_only=True):
    """Nodes and edges stand at the top and under `graph`: clients of both forms exist."""

    root: UUID = field(name="rootMemoryId")
    memory_id_of_old: UUID = field(name="memoryId")
    memory_id: UUID
    graph: NodesAndEdges
    stats: GraphStatistics
    nodes: list[Node]
    edges: list[Edge]
    depth: int


class Link(Struct, kw_only=True):
    source_id: UUID
    target_id: UUID
    type: str
    strength: float


class LinksAnswer(Struct):
    memory_id: UUID
    outgoing: list[Link]
    incoming: list[Link]


class GraphNode(Struct):
    memory: MemoryAnswer
    depth: int
    relationships: list[Link]


class NodeGraphAnswer(Struct):
    root_id: UUID
    depth: int
    nodes: list[GraphNode]
    total_nodes: int


class TypeAnswer(Struct):
    type: str
    count: int
    avg_strength: float


class DetectionAnswer(Struct, kw_only=True, rename="camel"):
    service: str = "relationship-detection"
    healthy: bool = True
    enabled: bool = True
    circuit_breaker_state: str = "CLOSED"
    api_key_configured: bool = False
    timestamp: datetime
