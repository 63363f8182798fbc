from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated
from uuid import UUID  # noqa: TC003

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from pronoia.faces.http.schemas.memories import LeastTrust, MemoryAnswer, Object, Tags, Text, UserId

MAXIMUM_QUERY_LENGTH = 10_000

Share = Annotated[float, Meta(ge=0, le=1)]
Limit = Annotated[int, Meta(ge=1)]


class SearchBody(Struct, kw_only=True):
    query: Text
    limit: Limit | None = None
    min_score: Share | None = None
    threshold: Annotated[Share | None, Meta(description="Least similarity of the vectors.")] = None
    min_helpfulness_score: Share | None = None
    weight_by_usage: bool | None = None
    decay_old_memories: bool | None = None
    learning_mode: Annotated[bool | None, Meta(description="Count the results as used.")] = None
    adaptive_weights: bool | None = None
    explain: Annotated[bool | None, Meta(description="Give every signal of every result and its weight.")] = None
    project_id: str | None = None
    tags: Tags | None = None
    source: str | None = None
    session_id: str | None = None
    run_id: str | None = None
    agent_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: dict[str, str | int | float | bool | None] | None = None
    min_trust: LeastTrust = None
    user_id: UserId = None


class FindBody(Struct, kw_only=True):
    query: str | None = None
    tags: Tags | None = None
    source: str | None = None
    project_id: str | None = None
    limit: Limit = 50
    min_trust: LeastTrust = None
    user_id: UserId = None


class SearchQuery(Struct, kw_only=True):
    q: str | None = None
    query: str | None = None
    limit: Limit = 10
    min_trust: LeastTrust = None


class TextsQuery(Struct, kw_only=True):
    limit: Limit = 100
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0


class RecallBody(Struct, kw_only=True):
    query: Text
    limit: Limit | None = None
    organized: Annotated[bool | None, Meta(description="Sum the answer up by category.")] = None
    project_id: str | None = None
    min_helpfulness_score: Share | None = None
    min_trust: LeastTrust = None
    user_id: UserId = None


class RecallQuery(Struct, kw_only=True):
    query: str
    limit: Limit = 10
    organized: bool = False
    project_id: str | None = None
    min_helpfulness_score: Share | None = None
    min_trust: LeastTrust = None


class HitAnswer(MemoryAnswer, kw_only=True):
    memory: MemoryAnswer
    score: float
    similarity: float | None
    base_similarity: float
    weighted_score: float
    relevance_score: float
    usage_boost: float
    helpfulness_boost: float
    recency_boost: float
    boosted_by_usage: bool
    boosted_by_recency: bool
    penalized_by_age: bool
    access_frequency: str
    explanation: tuple[dict[str, float | str], ...] | UnsetType = UNSET


class CategoryAnswer(Struct):
    count: int
    avg_score: float
    summary: str


class SearchAnswer(Struct, kw_only=True):
    """`results` lists the same items as `memories`."""

    memories: Annotated[
        Raw, Meta(extra_json_schema={"type": "array", "items": {"$ref": "#/components/schemas/HitAnswer"}})
    ]
    results: Annotated[
        Raw, Meta(extra_json_schema={"type": "array", "items": {"$ref": "#/components/schemas/HitAnswer"}})
    ]
    count: int
    total: int
    query: str
    weighted: bool
    learning_mode: bool
    search_method: str
    abstained: bool
    best_score: float | None
    categories: dict[str, CategoryAnswer]


class RecalledAnswer(Struct):
    id: UUID
    text: str
    score: float
    metadata: Object
    created_at: datetime


class RecallAnswer(Struct, kw_only=True):
    memories: list[RecalledAnswer]
    count: int
    total: int
    query: str
    categories: dict[str, CategoryAnswer] | UnsetType = UNSET


class FoundAnswer(Struct):
    memories: list[MemoryAnswer]
    count: int


class TextsAnswer(Struct, kw_only=True):
    context: list[str]
    count: int
    limit: int | UnsetType = UNSET
    offset: int | UnsetType = UNSET
