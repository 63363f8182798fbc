"""KeyStore on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.audit_store import record
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.rows import key_of
from pronoia.domain.audit import AuditAction
from pronoia.domain.errors import NotFoundError

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.records import ApiKey


class PostgresKeyStore:
    """Keeps API keys, each in its organisation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_id: str) -> ApiKey | None:
        """Find a key before its organisation is known."""
        async with self._database.writing(None, reserved=True) as connection:
            row = await connection.fetchrow(QUERIES["find_key"], key_id)
        return None if row is None else key_of(row)

    async def create(self, key: ApiKey) -> None:
        """Store a key, and its organisation if this is its first."""
        async with self._database.writing(key.organisation_id) as connection:
            await connection.execute(QUERIES["create_organisation"], key.organisation_id)
            await connection.execute(
                QUERIES["create_key"],
                key.organisation_id,
                key.id,
                key.user_id,
                sorted(permission.value for permission in key.permissions),
                key.plan.value,
                key.secret_hash,
                key.created_at,
                key.revoked_at,
                key.last_used_at,
            )
            await record(connection, key.organisation_id, AuditAction.KEY_CREATED, user_id=key.user_id, key_id=key.id)

    async def listed(self, organisation_id: UUID) -> list[ApiKey]:
        """Give all keys of an organisation, oldest first, the revoked included."""
        async with self._database.reading(organisation_id) as connection:
            return [key_of(row) for row in await connection.fetch(QUERIES["list_keys"], organisation_id)]

    async def revoke(self, organisation_id: UUID, key_id: str, at: datetime) -> ApiKey:
        """Revoke a key; the first time it was revoked stands. Raises NotFoundError."""
        async with self._database.writing(organisation_id) as connection:
            row = await connection.fetchrow(QUERIES["revoke_key"], organisation_id, key_id, at)
            if row is None:
                raise NotFoundError("There is no such key.", id=key_id)
            await record(connection, organisation_id, AuditAction.KEY_REVOKED, user_id=row["user_id"], key_id=key_id)
        return key_of(row)
