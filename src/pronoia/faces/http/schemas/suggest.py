from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from pronoia.domain.records import RelationshipType  # noqa: TC001
from pronoia.domain.trust import Trust  # noqa: TC001
from pronoia.faces.http.schemas.memories import LeastTrust, ProvenanceAnswer, Text, UserId  # noqa: TC001
from pronoia.faces.http.schemas.search import Limit, Share  # noqa: TC001

MAXIMUM_USED = 100

UsedIds = Annotated[list[UUID], Meta(max_length=MAXIMUM_USED, description="What was used of earlier suggestions.")]


class SuggestBody(Struct, kw_only=True):
    context: Text | None = None
    query: Annotated[Text | None, Meta(description="Another name of context.")] = None
    limit: Limit | None = None
    min_confidence: Share | None = None
    include_reasoning: bool | None = None
    project_id: str | None = None
    used_ids: UsedIds | None = None
    min_trust: LeastTrust = None
    user_id: UserId = None


class SuggestionAnalytics(Struct, kw_only=True):
    usage_count: int
    helpfulness_score: float
    recency_score: float
    access_frequency: str
    days_since_access: float | None


class SuggestionReasoning(Struct, kw_only=True):
    semantic_match: str
    """high, medium or low."""
    frequently_used: bool
    recently_accessed: bool
    high_helpfulness: bool
    weights_applied: dict[str, float]


class RelatedAnswer(Struct, kw_only=True):
    related_memory_id: UUID
    relationship_type: RelationshipType
    strength: float


class SuggestionAnswer(Struct, kw_only=True):
    """`id`, `content` and `confidence` repeat `memory_id`, `text` and `suggestion_score` for other clients."""

    memory_id: UUID
    id: UUID
    text: str
    content: str
    trust: Trust
    provenance: ProvenanceAnswer | None
    similarity: float | None
    suggestion_score: float
    confidence: float
    relevance_context: str
    """The words of the context that the memory says too."""
    analytics: SuggestionAnalytics
    reasoning: SuggestionReasoning | UnsetType = UNSET
    related_memories: list[RelatedAnswer]


class SuggestAnswer(Struct, kw_only=True):
    suggestions: list[SuggestionAnswer]
    count: int
    context: str
    weights_used: dict[str, float]
    min_confidence: float
    withheld: bool
    """True if this answer was chosen to stay empty, to measure what suggestions add."""
    abstained: bool
    """True if nothing stored fits the context well enough."""
    degraded: bool
    """True if nothing was looked for, because the server has too much to do; Retry-After says when to ask again."""
    reason: str | None
    """Why, if degraded."""
