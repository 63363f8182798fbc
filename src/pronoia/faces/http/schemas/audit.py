from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated, Any, Literal
from uuid import UUID  # noqa: TC003

from msgspec import Meta, Struct

from pronoia.domain.audit import AuditOutcome, Category  # noqa: TC001
from pronoia.faces.http.schemas.monitoring import Period  # noqa: TC001

Severity = Literal["info", "warning", "error", "critical"]


class AuditQuery(Struct, kw_only=True):
    """Times are ISO 8601; a day without a time begins at midnight UTC. The dates and action_type are other names."""

    event_type: str | None = None
    action_type: str | None = None
    event_category: Category | None = None
    severity: Severity | None = None
    success: bool | None = None
    outcome: AuditOutcome | None = None
    actor: str | None = None
    start_time: str | None = None
    start_date: str | None = None
    end_time: str | None = None
    end_date: str | None = None
    cursor: Annotated[int, Meta(ge=1, lt=1 << 62)] | None = None
    offset: Annotated[int, Meta(ge=0, le=10_000)] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class AuditRowAnswer(Struct, kw_only=True):
    """`user_id` is the pseudonym of the user it is about; `ip_address` is never kept."""

    id: str
    number: int
    timestamp: datetime
    event_type: str
    action_type: str
    event_category: Category
    severity: Severity
    success: bool
    outcome: AuditOutcome
    actor: str
    user_id: str | None
    memory_id: UUID | None
    resource_id: str | None
    route: str | None
    request_id: str | None
    details: dict[str, Any]
    ip_address: None = None
    hash: str
    previous_hash: str


class AuditLogAnswer(Struct, kw_only=True):
    """`total` counts what matches, up to 10,000. `next_cursor` leads to the rows before these."""

    total: int
    logs: list[AuditRowAnswer]
    next_cursor: int | None


class AuditStatsQuery(Struct, kw_only=True):
    period: Period = "24h"


class AuditStats(Struct, kw_only=True):
    """`error_events` are the refused ones; `error_rate` is their share in percent."""

    total_events: int
    error_events: int
    error_rate: float
    events_by_category: dict[str, int]


class AuditStatsAnswer(Struct, kw_only=True):
    period: Period
    stats: AuditStats


class AuditTestAnswer(Struct, kw_only=True):
    success: bool
    message: str
