from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated
from uuid import UUID  # noqa: TC003

from msgspec import Meta, Struct

from pronoia.domain.records import RelationshipType
from pronoia.faces.http.schemas.memories import UserId  # noqa: TC001

Days = Annotated[int, Meta(ge=1, le=365)]
Share = Annotated[float, Meta(ge=0, le=1)]
Metric = Annotated[
    str,
    Meta(pattern="^(search_accuracy|prediction_accuracy|avg_helpfulness|user_satisfaction|relationship_quality)$"),
]


class DaysQuery(Struct, kw_only=True):
    days: Days = 30


class MetricsQuery(Struct, kw_only=True):
    days: Days = 30
    metric_type: Metric | None = None


class AnalysisBody(Struct, kw_only=True):
    auto_apply: bool = False
    user_id: UserId = None


class SuggestionBody(Struct, kw_only=True):
    memory_id: UUID
    related_memory_id: UUID
    suggested_type: RelationshipType = RelationshipType.RELATED_TO
    confidence: Share = 0.0
    reason: str = ""
    co_access_count: Annotated[int, Meta(ge=0)] = 0


class ApplyBody(Struct, kw_only=True):
    """Without suggestions, those of a fresh analysis are applied; of either, only those that `suggestion_ids` names."""

    suggestions: Annotated[list[SuggestionBody], Meta(max_length=1000)] | None = None
    suggestion_ids: Annotated[list[str], Meta(max_length=1000)] | None = None
    min_confidence: Share = 0.75
    user_id: UserId = None


class AppliedAnswer(Struct, kw_only=True):
    success: bool = True
    applied_count: int
    total_suggestions: int


class StatusAnswer(Struct, kw_only=True):
    enabled: bool
    last_run: datetime | None
    next_scheduled_run: datetime | None
    status: str = "available"
    last_analysis: datetime | None
    next_scheduled: datetime | None
    total_analyses: int
    relationships_created: int
