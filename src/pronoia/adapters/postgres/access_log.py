"""AccessLog on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.identifiers import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.records import Access


class PostgresAccessLog:
    """Appends uses of any number of users, of any tenants, in one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, accesses: Sequence[Access]) -> dict[Scope, int]:
        """Append uses, count them, and give each user's activity after it."""
        if not accesses:
            return {}
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(
                QUERIES["record_accesses"],
                [access.scope.organisation_id for access in accesses],
                [access.scope.user_id for access in accesses],
                [access.memory_id for access in accesses],
                [access.kind.value for access in accesses],
                [access.at for access in accesses],
                [access.context for access in accesses],
            )
        return {Scope(row["organisation_id"], row["user_id"]): row["activity"] for row in rows}
