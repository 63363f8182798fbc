"""RetentionStore on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.identifiers import Scope
from pronoia.ports.retention_store import RetentionPolicy

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.adapters.postgres.transactions import Database


class PostgresRetentionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, organisation_id: UUID, policy: RetentionPolicy) -> None:
        """Set a policy."""
        async with self._database.writing(organisation_id) as connection:
            await connection.execute(QUERIES["set_retention"], organisation_id, policy.project_id, policy.days)

    async def remove(self, organisation_id: UUID, project_id: str) -> bool:
        """Remove a policy."""
        async with self._database.writing(organisation_id) as connection:
            removed = await connection.fetchval(QUERIES["remove_retention"], organisation_id, project_id)
        return removed is not None

    async def listed(self, organisation_id: UUID) -> list[RetentionPolicy]:
        """Give all policies."""
        async with self._database.reading(organisation_id) as connection:
            rows = await connection.fetch(QUERIES["list_retention"], organisation_id)
        return [RetentionPolicy(row["project_id"], row["days"]) for row in rows]

    async def expired(self, now: datetime, limit: int) -> list[tuple[Scope, UUID]]:
        """Give up to `limit` memories."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["expired_memories"], now, limit)
        return [(Scope(row["organisation_id"], row["user_id"]), row["id"]) for row in rows]
