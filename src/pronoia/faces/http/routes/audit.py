"""The audit log of the caller's organisation. Rows are shown once they are chained, within about a second."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from pronoia.domain.audit import AuditAction, AuditOutcome, Category, category_of
from pronoia.domain.errors import InvalidInputError
from pronoia.domain.records import Permission
from pronoia.faces.http.conversion import in_utc
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.routes.health import MONITORING
from pronoia.faces.http.schemas.audit import (
    AuditLogAnswer,
    AuditQuery,
    AuditRowAnswer,
    AuditStats,
    AuditStatsAnswer,
    AuditStatsQuery,
    AuditTestAnswer,
)
from pronoia.ports.audit import AuditFilters
from pronoia.services.monitoring.agreement import PERIODS

if TYPE_CHECKING:
    from pronoia.domain.audit import AuditRow
    from pronoia.faces.http.schemas.audit import Severity

ADMIN = Permission.ADMIN
SEVERITIES: dict[AuditOutcome, Severity] = {AuditOutcome.SUCCEEDED: "info", AuditOutcome.REFUSED: "warning"}


async def logs(call: Call[AuditQuery, Nothing]) -> Answer:
    query = call.query
    page = await call.services.audit.page(
        call.principal.organisation_id, _filters(query), before=query.cursor, offset=query.offset, limit=query.limit
    )
    return Answer(
        AuditLogAnswer(total=page.total, logs=[_present(row) for row in page.rows], next_cursor=page.next_before)
    )


async def stats(call: Call[AuditStatsQuery, Nothing]) -> Answer:
    period = timedelta(seconds=PERIODS[call.query.period])
    found = await call.services.audit.statistics(call.principal.organisation_id, period)
    return Answer(
        AuditStatsAnswer(
            period=call.query.period,
            stats=AuditStats(
                total_events=found.total,
                error_events=found.refused,
                error_rate=round(100 * found.refused / found.total, 4) if found.total else 0.0,
                events_by_category={category.value: times for category, times in found.by_category.items()},
            ),
        )
    )


async def test(call: Call[Nothing, Nothing]) -> Answer:
    await call.services.audit.record(
        call.principal.organisation_id, AuditAction.AUDIT_TESTED, idempotency=call.idempotency
    )
    return Answer(AuditTestAnswer(success=True, message="A row of type audit_tested was added."))


def _filters(query: AuditQuery) -> AuditFilters:
    """Join what different names ask for; what contradicts itself matches no action."""
    actions: set[str] | None = None
    for wanted in (query.event_type, query.action_type):
        if wanted is not None:
            actions = {wanted} if actions is None else actions & {wanted}
    if query.event_category is not None:
        of_category = {action.value for action in AuditAction if category_of(action) is query.event_category}
        actions = of_category if actions is None else actions & of_category
    outcomes = set(AuditOutcome)
    if query.outcome is not None:
        outcomes &= {query.outcome}
    if query.success is not None:
        outcomes &= {AuditOutcome.SUCCEEDED if query.success else AuditOutcome.REFUSED}
    if query.severity is not None:
        outcomes &= {outcome for outcome, severity in SEVERITIES.items() if severity == query.severity}
    if not outcomes:
        actions = set()
    return AuditFilters(
        actions=None if actions is None else sorted(actions),
        actor=query.actor,
        outcome=next(iter(outcomes)) if len(outcomes) == 1 else None,
        since=_moment(query.start_time, "start_time") or _moment(query.start_date, "start_date"),
        until=_moment(query.end_time, "end_time") or _moment(query.end_date, "end_date", timedelta(days=1)),
    )


def _moment(text: str | None, field: str, length: timedelta = timedelta()) -> datetime | None:
    """Read a time, or a day; of a day, the moment `length` after it began."""
    if text is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) + length
    except (ValueError, OverflowError):
        pass
    try:
        return in_utc(msgspec.convert(text, datetime), field)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{field} must be a time or a day in ISO 8601.", field=field) from error


def _present(row: AuditRow) -> AuditRowAnswer:
    details = msgspec.json.decode(row.details, type=dict[str, object])
    ids = details.get("ids")
    first = str(ids[0]) if isinstance(ids, list) and ids else None  # pyright: ignore[reportUnknownArgumentType]
    resource = first or details.get("key_id")
    return AuditRowAnswer(
        id=str(row.number),
        number=row.number,
        timestamp=row.at,
        event_type=row.action,
        action_type=row.action,
        event_category=category_of(row.action),
        severity=SEVERITIES[AuditOutcome(row.outcome)],
        success=row.outcome == AuditOutcome.SUCCEEDED,
        outcome=AuditOutcome(row.outcome),
        actor=row.actor,
        user_id=row.subject,
        memory_id=msgspec.convert(first, type=UUID) if category_of(row.action) is Category.MEMORY and first else None,
        resource_id=None if resource is None else str(resource),
        route=row.route,
        request_id=row.request_id,
        details=details,
        hash=row.hash.hex(),
        previous_hash=row.previous_hash.hex(),
    )


ROOT = MONITORING + "/audit"

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "GET",
        ROOT + "/logs",
        "List what was done and refused, newest first.",
        logs,
        AuditLogAnswer,
        ADMIN,
        AuditQuery,
        Nothing,
        of_user=False,
    ),
    Operation(
        "GET",
        ROOT + "/stats",
        "Count what was done and refused in a period.",
        stats,
        AuditStatsAnswer,
        ADMIN,
        AuditStatsQuery,
        Nothing,
        of_user=False,
    ),
    Operation(
        "POST",
        MONITORING + "/test/audit",
        "Add a row to the audit log, to see that it arrives.",
        test,
        AuditTestAnswer,
        ADMIN,
        Nothing,
        Nothing,
        of_user=False,
    ),
)
