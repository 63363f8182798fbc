"""Makes rows of the audit log, waits until they are chained, and reads them back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.domain.audit import Actor, AuditOutcome
from pronoia.ports.audit import AuditFilters, NewAuditRow

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.audit import AuditRow

ONE, OTHER = UUID(int=1), UUID(int=2)
"""Two organisations."""


def row(organisation_id: UUID = ONE, number: int = 0) -> NewAuditRow:
    """Make a row with a value in every column, some of which JSON has to escape."""
    actor = Actor('key:"\\ä€😀\x01\x7f\n', None, f"POST /{number}", "0198c0de-0000-7000-8000-000000000000")
    details = {"number": number, "text": 'a "quoted" ü \\ \t', "none": None, "share": 0.1}
    return NewAuditRow(organisation_id, "memory_created", AuditOutcome.SUCCEEDED, actor, details)


async def chain_all(database: Database) -> None:
    """Chain what waits, and wait for another chainer that is at it."""
    store = PostgresAuditStore(database)
    async with asyncio.timeout(10):
        while (done := await store.chain(1_000)) is None or done.waiting:  # noqa: ASYNC110 - PostgreSQL gives no sign
            await asyncio.sleep(0)


async def all_rows(database: Database, organisation_id: UUID, **filters: object) -> list[AuditRow]:
    """Give the chained rows of an organisation, oldest first."""
    await chain_all(database)
    wanted = AuditFilters(**filters)  # pyright: ignore[reportArgumentType]
    rows = await PostgresAuditStore(database).rows(organisation_id, wanted, before=None, offset=0, limit=1_000)
    return rows[::-1]
