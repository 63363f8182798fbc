from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from pronoia.domain.trust import Trust  # noqa: TC001
from pronoia.faces.http.schemas.memories import LeastTrust, Object, ProvenanceAnswer, UserId  # noqa: TC001
from pronoia.faces.http.schemas.search import Limit, Share  # noqa: TC001

MAXIMUM_RECENT = 100

Recent = Annotated[list[UUID], Meta(max_length=MAXIMUM_RECENT)]


class PredictBody(Struct, kw_only=True):
    """`current_context` and `recent_memories` are other names of `context` and `recent_memory_ids`."""

    context: str | None = None
    current_context: str | None = None
    recent_memory_ids: Recent | None = None
    recent_memories: Recent | None = None
    limit: Limit | None = None
    min_confidence: Share | None = None
    min_trust: LeastTrust = None
    user_id: UserId = None


class PredictQuery(Struct, kw_only=True):
    context: str | None = None
    current_context: str | None = None
    recent_memories: Annotated[str | None, Meta(description="Ids, as a JSON array or separated by commas.")] = None
    limit: Limit = 10
    min_confidence: Share | None = None
    min_trust: LeastTrust = None


class PredictedAnswer(Struct, kw_only=True):
    """`id`, `content`, `confidence_score` and `reasoning` repeat other fields, for the clients that read those."""

    memory_id: UUID
    id: UUID
    text: str
    content: str
    confidence: float
    confidence_score: float
    reasons: list[str]
    reasoning: str
    related_to: list[UUID]
    helpfulness_score: float
    usage_count: int
    metadata: Object
    trust: Trust
    provenance: ProvenanceAnswer | None


class PredictAnswer(Struct, kw_only=True):
    predictions: list[PredictedAnswer]
    count: int
    context: str | None
    recent_memories: list[UUID]
