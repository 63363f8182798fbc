from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated
from uuid import UUID  # noqa: TC003

from msgspec import Meta, Struct

from pronoia.faces.http.schemas.memories import UserId  # noqa: TC001


class MergeStep(Struct, kw_only=True, tag_field="action", tag="merge"):
    keep: UUID
    remove: UUID


class ArchiveStep(Struct, kw_only=True, tag_field="action", tag="archive"):
    memory_id: UUID


class RemoveLinkStep(Struct, kw_only=True, tag_field="action", tag="remove_link"):
    relationship_id: UUID


class RestoreStep(Struct, kw_only=True, tag_field="action", tag="restore"):
    action_id: UUID | None = None
    memory_id: Annotated[UUID | None, Meta(description="The memory that was merged away or archived.")] = None


Step = MergeStep | ArchiveStep | RemoveLinkStep | RestoreStep


class ApplyBody(Struct, kw_only=True):
    actions: Annotated[list[Step], Meta(max_length=100)] = []
    suggestion_ids: Annotated[list[str], Meta(max_length=100)] = []
    user_id: UserId = None


class UndoBody(Struct, kw_only=True):
    action_id: UUID
    user_id: UserId = None


class ActionsQuery(Struct, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class DuplicateAnswer(Struct, kw_only=True):
    id: str
    memory_ids: tuple[UUID, UUID]
    """The one to keep first."""
    similarity: float
    suggestion: str
    texts: tuple[str, str]


class OutdatedAnswer(Struct, kw_only=True):
    id: UUID
    text: str
    helpfulness_score: float
    days_since_access: float
    suggestion: str = "update_or_remove"


class ArchivableAnswer(Struct, kw_only=True):
    id: UUID
    text: str
    days_since_access: float
    """Days since it was stored: it was never used."""
    usage_count: int
    suggestion: str = "archive"


class SummaryAnswer(Struct, kw_only=True):
    total_duplicates: int
    total_outdated: int
    total_archive_candidates: int
    total_broken_relationships: int


class SuggestionAnswer(Struct, kw_only=True):
    id: str
    memory_id: UUID
    suggestion_type: str
    reason: str
    score: float
    related_memory_ids: list[UUID]
    relationship_id: UUID | None = None


class MaintenanceAnswer(Struct, kw_only=True):
    duplicates: list[DuplicateAnswer]
    outdated: list[OutdatedAnswer]
    archive_candidates: list[ArchivableAnswer]
    broken_relationships: int
    summary: SummaryAnswer
    suggestions: list[SuggestionAnswer]


class ActionAnswer(Struct, kw_only=True):
    id: UUID
    action: str
    memory_id: UUID | None
    kept_memory_id: UUID | None
    relationship_id: UUID | None
    at: datetime
    reversible_until: datetime
    undone_at: datetime | None


class ActionsAnswer(Struct, kw_only=True):
    actions: list[ActionAnswer]
    count: int
