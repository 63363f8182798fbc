from __future__ import annotations

from pronoia.domain.records import Permission, RelationshipType
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.presentation import (
    present_edge,
    present_link,
    present_memory,
    present_node,
    present_relationship,
)
from pronoia.faces.http.schemas.memories import DeletedAnswer
from pronoia.faces.http.schemas.relationships import (
    DetectionAnswer,
    GraphAnswer,
    GraphNode,
    GraphQuery,
    GraphStatistics,
    LinksAnswer,
    NewRelationshipBody,
    NodeGraphAnswer,
    NodeGraphQuery,
    NodesAndEdges,
    RelationshipAnswer,
    RelationshipsAnswer,
    RelationshipsQuery,
    TypeAnswer,
)

MAXIMUM_LIMIT = 500
MAXIMUM_DEPTH = 10
DEFAULT_STRENGTH = 0.8


async def of(call: Call[RelationshipsQuery, Nothing]) -> Answer:
    memory_id = call.identifier("memory_id")
    found = await call.services.relationships.of(
        call.scope,
        memory_id,
        call.query.type,
        call.query.minimum_strength,
        min(call.query.limit, MAXIMUM_LIMIT),
        call.minimum_version,
    )
    relationships = [present_relationship(relationship, memory) for relationship, memory in found]
    return Answer(
        RelationshipsAnswer(
            memory_id=memory_id,
            memory_id_of_old=memory_id,
            relationships=relationships,
            count=len(relationships),
        )
    )


async def graph(call: Call[GraphQuery, Nothing]) -> Answer:
    memory_id = call.identifier("memory_id")
    depth = min(call.query.depth, MAXIMUM_DEPTH)
    walked = await call.services.relationships.graph(
        call.scope, memory_id, depth, call.query.minimum_strength, call.minimum_version
    )
    nodes = [present_node(memory) for memory in walked.nodes]
    edges = [present_edge(relationship) for relationship in walked.edges]
    return Answer(
        GraphAnswer(
            root=memory_id,
            memory_id_of_old=memory_id,
            memory_id=memory_id,
            graph=NodesAndEdges(nodes, edges),
            stats=GraphStatistics(len(nodes), len(edges), depth),
            nodes=nodes,
            edges=edges,
            depth=depth,
        )
    )


async def links(call: Call[Nothing, Nothing]) -> Answer:
    memory_id = call.identifier("memory_id")
    outgoing, incoming = await call.services.relationships.both(call.scope, memory_id, call.minimum_version)
    return Answer(
        LinksAnswer(memory_id, [present_link(one) for one in outgoing], [present_link(one) for one in incoming])
    )


async def node_graph(call: Call[NodeGraphQuery, Nothing]) -> Answer:
    memory_id = call.identifier("memory_id")
    depth = min(call.query.depth, MAXIMUM_DEPTH)
    walked = await call.services.relationships.graph(call.scope, memory_id, depth, 0.0, call.minimum_version)
    nodes = [
        GraphNode(
            present_memory(memory),
            walked.depths[memory.id],
            [present_link(edge) for edge in walked.edges if edge.memory_id == memory.id],
        )
        for memory in walked.nodes
    ]
    return Answer(NodeGraphAnswer(memory_id, depth, nodes, len(nodes)))


async def types(call: Call[Nothing, Nothing]) -> Answer:
    counts = await call.services.relationships.types(call.scope, call.minimum_version)
    return Answer([TypeAnswer(one.type, one.count, round(one.average_strength, 3)) for one in counts])


async def create(call: Call[Nothing, NewRelationshipBody]) -> Answer:
    body = call.body
    related = await call.services.relationships.add(
        call.scope,
        body.memory_id,
        body.related_memory_id,
        kind=body.relationship_type or body.type or RelationshipType.RELATED_TO,
        strength=DEFAULT_STRENGTH if body.strength is None else body.strength,
        explanation=body.explanation or "",
        idempotency=call.idempotency,
    )
    return Answer(present_relationship(related.relationship), related.version)


async def remove(call: Call[Nothing, Nothing]) -> Answer:
    relationship_id = call.identifier("relationship_id")
    related = await call.services.relationships.remove(call.scope, relationship_id, call.idempotency)
    return Answer(DeletedAnswer("Relationship deleted.", relationship_id), related.version)


async def detection(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(DetectionAnswer(timestamp=call.surroundings.now()))


ROOT = "/api/v1/relationships"
MEMORY = "/api/v1/memories/{memory_id}"
READ, WRITE = Permission.READ, Permission.WRITE

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "POST", ROOT, "Relate two memories.", create, RelationshipAnswer, WRITE, Nothing, NewRelationshipBody, 201
    ),
    Operation(
        "GET",
        ROOT + "/memory/{memory_id}",
        "List what a memory is related to.",
        of,
        RelationshipsAnswer,
        READ,
        RelationshipsQuery,
        Nothing,
    ),
    Operation(
        "GET",
        ROOT + "/graph/{memory_id}",
        "Walk from a memory along its relationships.",
        graph,
        GraphAnswer,
        READ,
        GraphQuery,
        Nothing,
    ),
    Operation("GET", ROOT + "/types", "Count relationships by type.", types, list[TypeAnswer], READ, Nothing, Nothing),
    Operation(
        "GET",
        ROOT + "/health",
        "Say whether relationships are being found.",
        detection,
        DetectionAnswer,
        READ,
        Nothing,
        Nothing,
    ),
    Operation(
        "DELETE", ROOT + "/{relationship_id}", "Remove a relationship.", remove, DeletedAnswer, WRITE, Nothing, Nothing
    ),
    Operation(
        "GET",
        MEMORY + "/relationships",
        "List relationships from and to a memory.",
        links,
        LinksAnswer,
        READ,
        Nothing,
        Nothing,
    ),
    Operation(
        "GET",
        MEMORY + "/graph",
        "Walk from a memory, with the memories whole.",
        node_graph,
        NodeGraphAnswer,
        READ,
        NodeGraphQuery,
        Nothing,
    ),
)
