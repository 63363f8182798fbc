from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated
from uuid import UUID  # noqa: TC003

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from pronoia.domain.trust import Trust

MAXIMUM_TAGS = 100
MAXIMUM_BATCH = 100

Text = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": 10_000, "pattern": r"\S"})]
Tags = Annotated[list[str], Meta(max_length=MAXIMUM_TAGS)]
Object = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
LeastTrust = Annotated[
    Trust | None, Meta(description="What memories must be trusted at least; PRONOIA_MINIMUM_TRUST is the default.")
]
UserId = Annotated[str | None, Meta(description="The user; only a service key may name one.")]


class NewMemoryBody(Struct, kw_only=True):
    text: Text
    source: str | None = None
    project_id: str | None = None
    tags: Tags | None = None
    metadata: dict[str, object] | None = None
    session_id: str | None = None
    run_id: Annotated[str | None, Meta(description="Another name of session_id.")] = None
    agent_id: str | None = None
    speaker: str | None = None
    occurred_at: datetime | None = None
    trust: Annotated[Trust | None, Meta(description="At most that of your key, which is the default.")] = None
    user_id: UserId = None


class BatchBody(Struct, kw_only=True):
    memories: Annotated[list[NewMemoryBody], Meta(min_length=1, max_length=MAXIMUM_BATCH)]
    user_id: UserId = None


class MemoryEditBody(Struct, kw_only=True):
    """What to replace; what is left out is kept."""

    text: Text | None = None
    source: str | None = None
    project_id: str | None = None
    tags: Tags | None = None
    metadata: dict[str, object] | None = None
    user_id: UserId = None


class UserBody(Struct, kw_only=True):
    user_id: UserId = None


class FeedbackBody(Struct, kw_only=True):
    helpful: bool
    context: str | None = None
    user_satisfaction: Annotated[float, Meta(ge=0, le=1)] | None = None
    user_id: UserId = None


class MemoryQuery(Struct, kw_only=True):
    context: Annotated[str | None, Meta(description="What the memory is used for.")] = None


class ForgetQuery(Struct, kw_only=True):
    user_id: Annotated[str, Meta(description="The user to forget.")]


class PageQuery(Struct, kw_only=True):
    limit: Annotated[int, Meta(ge=1, description="At most 1000.")] = 100
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    cursor: Annotated[UUID | None, Meta(description="`next_cursor` of the page before.")] = None
    sort: Annotated[str, Meta(pattern="^(asc|desc)$")] = "desc"
    project_id: str | None = None
    source: str | None = None
    tags: Annotated[str | None, Meta(description="Comma list; all must be present.")] = None
    session_id: str | None = None
    run_id: str | None = None
    agent_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Annotated[str | None, Meta(description="JSON object of values to equal.")] = None


class LearningMetadata(Struct, kw_only=True):
    access_frequency: str
    recency_score: float
    days_since_access: float | None
    relationship_count: int


class ProvenanceAnswer(Struct):
    key_id: str | None
    """Who wrote it; null for the command line."""
    route: str
    batch_id: UUID
    """Shared by what was written by one call or import."""


class MemoryAnswer(Struct, kw_only=True):
    id: UUID
    user_id: str
    text: str
    source: str
    project_id: str
    tags: tuple[str, ...]
    metadata: Object
    session_id: str | None
    agent_id: str | None
    speaker: str | None
    occurred_at: datetime | None
    created_at: datetime
    updated_at: datetime
    duplicate_of: UUID | None
    usage_count: int
    last_accessed: datetime | None
    helpfulness_score: float
    trust: Trust
    provenance: ProvenanceAnswer | None
    """Null for what was stored before it was kept."""
    access_pattern: dict[str, int] = {}
    learning_metadata: LearningMetadata | UnsetType = UNSET
    contributors: list[str] | UnsetType = UNSET


class EntityAnswer(Struct):
    name: str
    type: str


class ExtractedAnswer(Struct, kw_only=True):
    category: str
    subcategory: str | None
    tags: tuple[str, ...]
    entities: list[EntityAnswer]
    importance: str
    sentiment: str
    actionable: bool
    summary: str
    confidence: float


class LearnedAnswer(MemoryAnswer, kw_only=True):
    extracted_metadata: ExtractedAnswer
    extraction_tier: int = 1
    extraction_method: str = "heuristic"
    metadata_version: int = 1
    processing: bool = False
    processing_time_ms: float


class PageAnswer(Struct, kw_only=True):
    memories: list[MemoryAnswer]
    count: int
    total: int
    limit: int
    offset: int
    next_cursor: UUID | None


class BatchAnswer(Struct):
    memories: list[MemoryAnswer]
    count: int
    batch_id: UUID | None
    """Names them all, to quarantine them or roll them back."""


class DeletedAnswer(Struct):
    message: str
    id: UUID
    success: bool = True


class ForgottenAnswer(Struct):
    message: str
    user_id: str
    deleted: int
    success: bool = True


class GivenFeedback(Struct):
    helpful: bool
    context: str | None
    user_satisfaction: float | None


class FeedbackAnswer(Struct, kw_only=True):
    success: bool = True
    memory_id: UUID
    new_helpfulness_score: float
    feedback: GivenFeedback


class RevisionAnswer(Struct):
    memory_id: UUID
    event: str
    version: int
    at: datetime
    old_text: str | None
    new_text: str | None


class HistoryAnswer(Struct):
    memory_id: UUID
    history: list[RevisionAnswer]
    count: int
