"""KeyStore on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.audit_store import record
from pronoia.adapters.postgres.outcomes import done_before
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.rows import key_of
from pronoia.domain.audit import AuditAction
from pronoia.domain.errors import NotFoundError
from pronoia.domain.roles import Role
from pronoia.ports.key_store import FoundKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from pronoia.adapters.postgres.driver import Row
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.records import ApiKey, Idempotency
    from pronoia.ports.key_store import KeyUse


class PostgresKeyStore:
    """Keeps API keys, each in its organisation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_id: str) -> FoundKey | None:
        """Find a key before its organisation is known, with the role of its user."""
        # Every request waits for it: one way to the database and back, not four.
        async with self._database.durable(one_statement=True, reserved=True) as connection:
            row = await connection.fetchrow(QUERIES["find_key"], key_id)
        if row is None:
            return None
        return FoundKey(key_of(row), None if row["user_role"] is None else Role(row["user_role"]))

    async def create(self, key: ApiKey, idempotency: Idempotency | None = None) -> str | None:
        """Store a key, and its organisation if this is its first; or give the id that the same request made before."""
        async with self._database.writing(key.organisation_id) as connection:
            earlier = await done_before(connection, key.organisation_id, idempotency, key.id)
            if earlier is not None:
                return earlier
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
                key.expires_at,
                key.previous_secret_hash,
                key.previous_valid_until,
                key.trust.rank,
            )
            await record(connection, key.organisation_id, AuditAction.KEY_CREATED, user_id=key.user_id, key_id=key.id)
        return None

    async def get(self, organisation_id: UUID, key_id: str) -> ApiKey:
        """Give a key of an organisation, revoked or not. Raises NotFoundError."""
        async with self._database.reading(organisation_id) as connection:
            return _found(await connection.fetchrow(QUERIES["get_key"], organisation_id, key_id), key_id)

    async def listed(self, organisation_id: UUID, after: str | None, limit: int) -> list[ApiKey]:
        """Give keys of an organisation, oldest first, the revoked included."""
        async with self._database.reading(organisation_id) as connection:
            rows = await connection.fetch(QUERIES["list_keys"], organisation_id, after, limit)
        return [key_of(row) for row in rows]

    async def change(
        self,
        organisation_id: UUID,
        key_id: str,
        change: Callable[[ApiKey], ApiKey],
        idempotency: Idempotency | None = None,
    ) -> ApiKey:
        """Lock a key, store what `change` makes of it, and give that. Raises NotFoundError, and what `change` does."""
        async with self._database.writing(organisation_id) as connection:
            again = await done_before(connection, organisation_id, idempotency) is not None
            before = _found(await connection.fetchrow(QUERIES["lock_key"], organisation_id, key_id), key_id)
            if again:
                return before
            key = change(before)
            await connection.execute(
                QUERIES["change_key"],
                organisation_id,
                key_id,
                key.secret_hash,
                key.revoked_at,
                key.expires_at,
                key.previous_secret_hash,
                key.previous_valid_until,
            )
            await record(connection, organisation_id, _deed(before, key), user_id=key.user_id, key_id=key_id)
        return key

    async def record_uses(self, uses: Sequence[KeyUse]) -> None:
        """Note uses of keys of any organisations, each no more than once a minute."""
        async with self._database.writing(None) as connection:
            await connection.execute(
                QUERIES["record_key_uses"],
                [use.organisation_id for use in uses],
                [use.key_id for use in uses],
                [use.at for use in uses],
            )


def _deed(before: ApiKey, after: ApiKey) -> AuditAction:
    if after.secret_hash != before.secret_hash:
        return AuditAction.KEY_ROTATED
    return AuditAction.KEY_CHANGED if after.revoked_at is None else AuditAction.KEY_REVOKED


def _found(row: Row | None, key_id: str) -> ApiKey:
    if row is None:
        raise NotFoundError("There is no such key.", id=key_id)
    return key_of(row)
