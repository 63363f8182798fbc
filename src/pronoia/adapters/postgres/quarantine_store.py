"""QuarantineStore on PostgreSQL."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.memory_writer import Deed, MemoryWriter
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.rows import provenance_of
from pronoia.domain.audit import AuditAction
from pronoia.domain.errors import NotFoundError
from pronoia.domain.maintenance import MaintenanceKind
from pronoia.domain.trust import trust_of
from pronoia.ports.quarantine_store import Batch, Moved, QuarantinedMemory

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.adapters.postgres.memory_writer import Write
    from pronoia.domain.identifiers import Scope
    from pronoia.domain.maintenance import MaintenanceAction
    from pronoia.domain.records import Idempotency
    from pronoia.ports.quarantine_store import Selection


DEEDS = {
    MaintenanceKind.QUARANTINE: AuditAction.MEMORIES_QUARANTINED,
    MaintenanceKind.ROLLBACK: AuditAction.BATCH_ROLLED_BACK,
}


class PostgresQuarantineStore(MemoryWriter):
    """Takes any number of memories out of use by one action, and brings them back."""

    async def take(
        self,
        scope: Scope,
        action: MaintenanceAction,
        selection: Selection,
        limit: int,
        reason: str | None,
        idempotency: Idempotency | None,
    ) -> Moved:
        """Take up to `limit` memories out of use, in one transaction. Raises NotFoundError if none matches."""
        told = Deed(DEEDS[action.kind], _named(selection, action.id))
        return await self._once(scope, idempotency, Moved, partial(_take, action, selection, limit, reason), told)

    async def release(
        self, scope: Scope, selection: Selection, at: datetime, limit: int, idempotency: Idempotency | None
    ) -> Moved:
        """Bring up to `limit` memories back, in one transaction. Raises NotFoundError if none matches."""
        told = Deed(AuditAction.MEMORIES_RELEASED, _named(selection))
        return await self._once(scope, idempotency, Moved, partial(_release, selection, at, limit), told)

    async def quarantined(self, scope: Scope, after: UUID | None, limit: int) -> list[QuarantinedMemory]:
        """List what is quarantined or rolled back, newest first; what follows the id `after`."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(
                QUERIES["read_quarantine"], scope.organisation_id, scope.user_id, after, limit
            )
        cipher = await self._texts.reading(scope.organisation_id)
        return [
            QuarantinedMemory(
                id=row["id"],
                text=cipher.open(scope.user_id, row["id"], row["text"]),
                source=row["source"],
                created_at=row["created_at"],
                trust=trust_of(row["trust"]),
                provenance=provenance_of(row),
                edited_by=row["edited_by"],
                action_id=row["action_id"],
                rolled_back=row["kind"] == MaintenanceKind.ROLLBACK,
                at=row["at"],
                reason=row["reason"],
            )
            for row in rows
        ]

    async def batches(self, scope: Scope, after: UUID | None, limit: int) -> list[Batch]:
        """List batches, newest first; those that follow the id `after`."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(QUERIES["read_batches"], scope.organisation_id, scope.user_id, after, limit)
        return [
            Batch(
                id=row["batch_id"],
                key_id=row["written_by"],
                route=row["written_via"],
                trust=trust_of(row["trust"]),
                at=row["at"],
                memory_count=row["memory_count"],
                out_of_use=row["out_of_use"],
            )
            for row in rows
        ]


async def _take(action: MaintenanceAction, selection: Selection, limit: int, reason: str | None, write: Write) -> Moved:
    ids: list[UUID] = await write.connection.fetchval(
        QUERIES["quarantine_memories"],
        *(*write.user, action.id, write.version, action.at, action.kind.value, limit),
        *(*_conditions(selection), reason),
    )
    return Moved(write.version, _some(ids), action.id)


async def _release(selection: Selection, at: datetime, limit: int, write: Write) -> Moved:
    ids: list[UUID] = await write.connection.fetchval(
        QUERIES["release_memories"], *write.user, write.version, at, limit, *_conditions(selection)
    )
    return Moved(write.version, _some(ids))


def _named(selection: Selection, *others: UUID) -> list[UUID]:
    """Give the ids that the audit log is told of: what it was asked for by, and the action, which has the rest."""
    return [*([] if selection.batch_id is None else [selection.batch_id]), *(selection.memory_ids or ()), *others]


def _conditions(selection: Selection) -> tuple[object, ...]:
    ids = None if selection.memory_ids is None else list(selection.memory_ids)
    return ids, selection.batch_id, selection.key_id, selection.source


def _some(ids: list[UUID]) -> tuple[UUID, ...]:
    if not ids:
        raise NotFoundError("There is no such memory.")
    return tuple(ids)
