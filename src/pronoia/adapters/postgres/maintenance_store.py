"""MaintenanceStore on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.memory_writer import Deed, MemoryWriter
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.audit import AuditAction
from pronoia.domain.errors import NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.domain.maintenance import MaintenanceAction, MaintenanceKind, Restoration
from pronoia.ports.maintenance_store import Maintained

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.adapters.postgres.driver import Row
    from pronoia.adapters.postgres.memory_writer import Write
    from pronoia.domain.maintenance import MaintenanceStep
    from pronoia.domain.records import Idempotency

NO_USAGE = (0, None)


class PostgresMaintenanceStore(MemoryWriter):
    """Takes memories and relationships out of use and back; what is purged is deleted as any memory is."""

    async def maintain(
        self, scope: Scope, steps: Sequence[MaintenanceStep], at: datetime, idempotency: Idempotency | None
    ) -> Maintained:
        """Do all steps or none, in one transaction."""
        deed = Deed(AuditAction.MAINTENANCE_APPLIED, [one for step in steps for one in _named(step)])
        return await self._once(scope, idempotency, Maintained, partial(_maintain, steps, at), deed)

    async def actions(self, scope: Scope, limit: int) -> list[MaintenanceAction]:
        """List what was done, newest first."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(QUERIES["read_actions"], scope.organisation_id, scope.user_id, limit)
        return [_action_of(row) for row in rows]

    async def purge_actions(self, before: datetime, at: datetime, limit: int) -> int:
        """Delete what actions from before a time took out of use, each in a transaction of its own."""
        async with self._database.writing(None) as connection:
            expired = await connection.fetch(QUERIES["expired_actions"], before, limit)
        for row in expired:
            scope = Scope(row["organisation_id"], row["user_id"])
            if row["memory_id"] is not None:
                try:
                    await self.delete(scope, row["memory_id"], at, None)
                except NotFoundError:
                    continue  # another process purges too
            else:
                async with self._database.writing(scope.organisation_id) as connection:
                    await connection.execute(QUERIES["purge_action"], scope.organisation_id, scope.user_id, row["id"])
        return len(expired)


def _named(step: MaintenanceStep) -> list[UUID]:
    """Give the memory, relationship or action that a step is about."""
    match step:
        case Restoration(action_id, memory_id):
            named = (action_id, memory_id)
        case MaintenanceAction():
            named = (step.memory_id, step.relationship_id)
    return [one for one in named if one is not None]


async def _maintain(steps: Sequence[MaintenanceStep], at: datetime, write: Write) -> Maintained:
    return Maintained(
        write.version,
        tuple(
            [
                await (_undo(step, at, write) if isinstance(step, Restoration) else _do(step, at, write))
                for step in steps
            ]
        ),
    )


async def _do(action: MaintenanceAction, at: datetime, write: Write) -> MaintenanceAction:
    noted = (*write.user, action.id, write.version, action.kind.value, at)
    if action.kind is MaintenanceKind.REMOVE_LINK:
        gone = await write.connection.fetchval(
            QUERIES["archive_relationship"], *write.user, action.relationship_id, action.id, write.version, at
        )
        usage = NO_USAGE
    else:
        gone = await write.connection.fetchval(
            QUERIES["archive_memory"],
            *(*write.user, action.memory_id, action.id, write.version, at, action.kept_memory_id),
        )
        usage = await _add_usage(action, write)
    if gone == 0:
        raise NotFoundError(
            "There is no such memory or relationship in use.", id=str(action.relationship_id or action.memory_id)
        )
    await write.connection.execute(
        QUERIES["note_action"], *noted, action.memory_id, action.kept_memory_id, action.relationship_id, *usage
    )
    return action


async def _add_usage(action: MaintenanceAction, write: Write) -> tuple[int, datetime | None]:
    if action.kept_memory_id is None:
        return NO_USAGE
    added = await fetch_one(
        write.connection, QUERIES["add_usage"], *write.user, action.memory_id, action.kept_memory_id
    )
    return added["added_usage"], added["kept_last_accessed"]


async def _undo(restoration: Restoration, at: datetime, write: Write) -> MaintenanceAction:
    named = (restoration.action_id, restoration.memory_id)
    row = await write.connection.fetchrow(QUERIES["find_action"], *write.user, *named)
    if row is None:
        raise NotFoundError("There is no such action to undo.", id=str(restoration.action_id or restoration.memory_id))
    action = _action_of(row)
    if action.undone_at is not None:
        return action
    await write.connection.execute(QUERIES["undo_action"], *write.user, action.id, write.version, at)
    return replace(action, undone_at=at)


def _action_of(row: Row) -> MaintenanceAction:
    return MaintenanceAction(
        id=row["id"],
        kind=MaintenanceKind(row["kind"]),
        at=row["at"],
        memory_id=row["memory_id"],
        kept_memory_id=row["kept_memory_id"],
        relationship_id=row["relationship_id"],
        undone_at=row["undone_at"],
    )
