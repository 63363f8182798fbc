from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.cli.storage import opened_database
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pronoia.config import Settings
    from pronoia.domain.records import ApiKey


@asynccontextmanager
async def opened_keys(settings: Settings) -> AsyncGenerator[Keys]:
    """Open the keys, whether or not a server runs on the same database."""
    async with opened_database(settings) as database:
        yield Keys(store=PostgresKeyStore(database), clock=SystemClock())


def described(key: ApiKey) -> dict[str, object]:
    """Give what may be shown of a key."""
    return {
        "id": key.id,
        "user_id": key.user_id,
        "service": key.is_service,
        "plan": key.plan,
        "scopes": sorted(key.permissions),
        "organisation_id": key.organisation_id,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }
