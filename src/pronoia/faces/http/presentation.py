"""What the services give, as answers on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw

from pronoia.faces.http.schemas.memories import LearningMetadata, MemoryAnswer, ProvenanceAnswer
from pronoia.faces.http.schemas.relationships import Edge, Link, Node, RelationshipAnswer
from pronoia.faces.http.schemas.search import HitAnswer, SearchAnswer

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.domain.records import Memory, Relationship
    from pronoia.domain.trust import Provenance
    from pronoia.faces.http.schemas.search import SearchBody
    from pronoia.services.recall import Found, Hit

SECONDS_OF_A_DAY = 86_400
FREQUENCIES = ((50, "very_high"), (20, "high"), (5, "medium"), (0, "low"))
"""What more uses than each are called."""
RECENCIES = ((7, 1.0), (30, 0.8), (90, 0.5))
"""The score of a last use at most so many days ago."""
LEAST_RECENCY = 0.3


def memory_fields(memory: Memory) -> dict[str, object]:
    """Give a memory's fields as everybody may see them."""
    return {
        "id": memory.id,
        "user_id": memory.user_id,
        "text": memory.text,
        "source": memory.source,
        "project_id": memory.project_id,
        "tags": memory.tags,
        "metadata": Raw(memory.metadata.encode()),
        "session_id": memory.session_id,
        "agent_id": memory.agent_id,
        "speaker": memory.speaker,
        "occurred_at": memory.occurred_at,
        "created_at": memory.created_at,
        "updated_at": memory.updated_at,
        "duplicate_of": memory.duplicate_of,
        "usage_count": memory.usage_count,
        "last_accessed": memory.last_accessed,
        "helpfulness_score": memory.helpfulness_score,
        "trust": memory.trust,
        "provenance": present_provenance(memory.provenance),
    }


def present_provenance(provenance: Provenance | None) -> ProvenanceAnswer | None:
    if provenance is None:
        return None
    return ProvenanceAnswer(provenance.key_id, provenance.route, provenance.batch_id)


def present_memory(memory: Memory) -> MemoryAnswer:
    return MemoryAnswer(**memory_fields(memory))  # pyright: ignore[reportArgumentType] - the names and types are above


def access_frequency(usage_count: int) -> str:
    return next((word for bound, word in FREQUENCIES if usage_count > bound), "unused")


def recency_score(days_since_access: float | None) -> float:
    """Score the last use, in [0, 1]; 0 if there was none."""
    if days_since_access is None:
        return 0.0
    return next((score for most, score in RECENCIES if days_since_access <= most), LEAST_RECENCY)


def learning_metadata(memory: Memory, relationship_count: int, now: datetime) -> LearningMetadata:
    """Say how a memory is used."""
    days = None
    if memory.last_accessed is not None:
        days = max(0.0, (now - memory.last_accessed).total_seconds() / SECONDS_OF_A_DAY)
    return LearningMetadata(
        access_frequency=access_frequency(memory.usage_count),
        recency_score=recency_score(days),
        days_since_access=None if days is None else round(days, 3),
        relationship_count=relationship_count,
    )


def present_hit(hit: Hit) -> HitAnswer:
    """Make the one item that all search clients can read: nested, flat and with every boost."""
    return HitAnswer(
        **memory_fields(hit.memory),  # pyright: ignore[reportArgumentType] - the names and types are above
        memory=present_memory(hit.memory),
        score=hit.score,
        similarity=hit.similarity,
        base_similarity=hit.base_score,
        weighted_score=hit.score,
        relevance_score=hit.score,
        usage_boost=hit.usage_boost,
        helpfulness_boost=hit.helpfulness_boost,
        recency_boost=hit.recency_boost,
        boosted_by_usage=hit.boosted_by_usage,
        boosted_by_recency=hit.boosted_by_recency,
        penalized_by_age=hit.penalized_by_age,
        access_frequency=access_frequency(hit.memory.usage_count),
        explanation=UNSET if hit.explanation is None else hit.explanation,
    )


def present_search(found: Found, body: SearchBody) -> SearchAnswer:
    items = Raw(msgspec.json.encode([present_hit(hit) for hit in found.hits]))
    return SearchAnswer(
        memories=items,
        results=items,
        count=len(found.hits),
        total=len(found.hits),
        query=body.query,
        weighted=bool(body.weight_by_usage),
        learning_mode=bool(body.learning_mode),
        search_method=found.method,
        abstained=found.abstained,
        best_score=found.best_score,
        categories={},
    )


def present_node(memory: Memory) -> Node:
    return Node(memory.id, memory.text, memory.created_at)


def present_relationship(relationship: Relationship, related: Memory | None = None) -> RelationshipAnswer:
    return RelationshipAnswer(
        id=relationship.id,
        memory_id=relationship.memory_id,
        related_memory_id=relationship.related_memory_id,
        relationship_type=relationship.type,
        type=relationship.type,
        strength=relationship.strength,
        explanation=relationship.explanation,
        created_at=relationship.created_at,
        related_memory=UNSET if related is None else present_node(related),
    )


def present_edge(relationship: Relationship) -> Edge:
    return Edge(
        id=relationship.id,
        source=relationship.memory_id,
        target=relationship.related_memory_id,
        type=relationship.type,
        strength=relationship.strength,
        explanation=relationship.explanation,
    )


def present_link(relationship: Relationship) -> Link:
    return Link(
        source_id=relationship.memory_id,
        target_id=relationship.related_memory_id,
        type=relationship.type,
        strength=relationship.strength,
    )
