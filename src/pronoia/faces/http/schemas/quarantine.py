from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated
from uuid import UUID  # noqa: TC003

from msgspec import Meta, Struct

from pronoia.domain.trust import Trust  # noqa: TC001
from pronoia.faces.http.schemas.memories import ProvenanceAnswer, UserId  # noqa: TC001

MAXIMUM_NAMED = 1_000

Reason = Annotated[str | None, Meta(description="Shown in the list of what is quarantined; at most 1000 characters.")]


class ReasonBody(Struct, kw_only=True):
    reason: Reason = None
    user_id: UserId = None


class SelectionBody(Struct, kw_only=True):
    """Which memories are meant: those that meet all conditions given, at least one."""

    memory_ids: Annotated[list[UUID], Meta(min_length=1, max_length=MAXIMUM_NAMED)] | None = None
    batch_id: UUID | None = None
    key_id: Annotated[str | None, Meta(description="The key that wrote them, or changed them last.")] = None
    source: str | None = None
    user_id: UserId = None


class QuarantineBody(SelectionBody, kw_only=True):
    reason: Reason = None


class QuarantineQuery(Struct, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100
    after: Annotated[UUID | None, Meta(description="`next` of the page before.")] = None


class MovedAnswer(Struct, kw_only=True):
    memory_ids: list[UUID]
    """Oldest first."""
    count: int
    more: bool
    """True if the call reached its bound; call again for the rest."""
    action_id: UUID | None
    """What took them out of use; null where they were brought back."""


class QuarantinedAnswer(Struct, kw_only=True):
    id: UUID
    text: str
    source: str
    created_at: datetime
    trust: Trust
    provenance: ProvenanceAnswer | None
    edited_by: str | None
    """The key that changed it last."""
    action_id: UUID
    rolled_back: bool
    """True if its batch was rolled back: it is deleted 30 days after `quarantined_at`."""
    quarantined_at: datetime
    reason: str | None


class QuarantineAnswer(Struct, kw_only=True):
    memories: list[QuarantinedAnswer]
    count: int
    next: UUID | None
    """What to send as `after` for the next page; null if there may be none."""


class BatchSummary(Struct, kw_only=True):
    batch_id: UUID
    key_id: str | None
    route: str
    trust: Trust
    """The least of its memories."""
    at: datetime
    memory_count: int
    out_of_use: int


class BatchesAnswer(Struct, kw_only=True):
    batches: list[BatchSummary]
    count: int
    next: UUID | None
