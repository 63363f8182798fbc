"""AuditStore on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from pronoia.adapters.postgres.driver import connect, fetch_one
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.outcomes import done_before
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.audit import NO_ORGANISATION, AuditHead, AuditOutcome, AuditRow, current_actor
from pronoia.ports.audit import AuditCount, Chained, NewAuditRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from pronoia.adapters.postgres.driver import Connection, Row
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.audit import Actor, AuditAction
    from pronoia.domain.records import Idempotency
    from pronoia.ports.audit import AuditFilters

LEASE = "audit"
TELLING_SECONDS = 10.0
BEGINNING_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)


async def record(
    connection: Connection, organisation_id: UUID, action: str, *, user_id: str | None = None, **details: object
) -> None:
    """Add a row about what the transaction does, in the name of who acts. It must have entered the organisation."""
    await _record(
        connection,
        NewAuditRow(organisation_id, action, AuditOutcome.SUCCEEDED, current_actor(), details, user_id),
    )


async def record_of_instance(url: str, action: AuditAction, **details: object) -> bool:
    """Tell of what the owner of the tables does to all of them, in the name of who acts.

    Gives False where that cannot be told: on a standby, by a role that only reads, before there was an audit log.
    """
    with translated_errors():
        connection = await connect(url, timeout_seconds=TELLING_SECONDS)
        try:
            can_be_told = bool(await connection.fetchval(QUERIES["audit_can_be_told"]))
            if can_be_told:
                row = NewAuditRow(NO_ORGANISATION, action, AuditOutcome.SUCCEEDED, current_actor(), details)
                await _record(connection, row)
            return can_be_told
        finally:
            await connection.close()


def actor_columns() -> tuple[str | None, ...]:
    """Give who acts, as statements take it that write and record at once."""
    return _columns(current_actor())


def details_text(details: Mapping[str, object]) -> str:
    """Write details as JSON."""
    return msgspec.json.encode(details).decode()


class PostgresAuditStore:
    """Adds and reads rows as the role without rights, which can change none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, rows: Sequence[NewAuditRow], idempotency: Idempotency | None = None) -> None:
        """Add rows, each organisation's in a transaction of their own; with an idempotency key, once."""
        for organisation_id, of_one in groupby(rows, key=lambda row: row.organisation_id):
            async with self._database.writing(organisation_id) as connection:
                if await done_before(connection, organisation_id, idempotency) is None:
                    for row in of_one:
                        await _record(connection, row)

    async def lead(self, process: UUID, seconds: float) -> bool:
        """Say whether a process is the one that chains, for some seconds from now."""
        async with self._database.writing(None) as connection:
            return bool(await connection.fetchval(QUERIES["take_lease"], LEASE, process, seconds))

    async def chain(self, maximum: int) -> Chained | None:
        """Link and number what waits; None if another process is doing it."""
        async with self._database.writing(None) as connection:
            row = await fetch_one(connection, QUERIES["chain_audit"], maximum)
        if row["chained"] is None:
            return None
        return Chained(row["chained"], row["waiting"], row["waiting_seconds"])

    async def heads(self, since: datetime | None) -> tuple[datetime, list[AuditHead]]:
        """Give the heads of all organisations that moved since a time, or all; and the time to ask from next."""
        async with self._database.writing(None) as connection:
            now: datetime = await connection.fetchval(QUERIES["time_now"])
            rows = await connection.fetch(QUERIES["moved_audit_heads"], since or BEGINNING_OF_TIME)
        return now, [head_of(row) for row in rows]

    async def rows(
        self, organisation_id: UUID, filters: AuditFilters, *, before: int | None, offset: int, limit: int
    ) -> list[AuditRow]:
        """Give chained rows, newest first, below a number."""
        async with self._database.reading(organisation_id) as connection:
            rows = await connection.fetch(
                QUERIES["read_audit"], organisation_id, before, *_conditions(filters), offset, limit
            )
        return [row_of(row) for row in rows]

    async def count(self, organisation_id: UUID, filters: AuditFilters, maximum: int) -> int:
        """Count chained rows, up to a maximum."""
        async with self._database.reading(organisation_id) as connection:
            return await connection.fetchval(QUERIES["count_audit"], organisation_id, *_conditions(filters), maximum)

    async def counts(self, organisation_id: UUID, since: datetime) -> list[AuditCount]:
        """Count what happened since a time."""
        async with self._database.reading(organisation_id) as connection:
            rows = await connection.fetch(QUERIES["count_audit_actions"], organisation_id, since)
        return [AuditCount(row["action"], row["outcome"], row["times"]) for row in rows]


async def _record(connection: Connection, row: NewAuditRow) -> None:
    await connection.execute(
        QUERIES["record_audit"],
        row.organisation_id,
        row.user_id,
        row.action,
        row.outcome,
        *_columns(row.actor),
        details_text(row.details),
    )


def _columns(actor: Actor) -> tuple[str | None, ...]:
    return actor.name, actor.user_id, actor.route, actor.request_id


def _conditions(filters: AuditFilters) -> tuple[object, ...]:
    actions = None if filters.actions is None else list(filters.actions)
    return actions, filters.actor, filters.outcome, filters.since, filters.until


def head_of(row: Row) -> AuditHead:
    """Read the end of a chain."""
    return AuditHead(row["organisation_id"], row["number"], row["hash"])


def row_of(row: Row) -> AuditRow:
    """Read a row of the chain, as its queries name the columns."""
    return AuditRow(
        organisation_id=row["organisation_id"],
        number=row["number"],
        at=row["at"],
        action=row["action"],
        outcome=row["outcome"],
        actor=row["actor"],
        subject=row["subject"],
        route=row["route"],
        request_id=row["request_id"],
        details=row["details"],
        content_hash=row["content_hash"],
        previous_hash=row["previous_hash"],
        hash=row["hash"],
    )
