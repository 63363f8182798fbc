from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.cli.storage import opened_database
from pronoia.domain.errors import NotFoundError
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys, shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from pronoia.config import Settings
    from pronoia.domain.records import ApiKey


@asynccontextmanager
async def opened_keys(settings: Settings) -> AsyncGenerator[Keys]:
    """Open the keys, whether or not a server runs on the same database."""
    async with opened_database(settings) as database:
        yield Keys(store=PostgresKeyStore(database), clock=SystemClock())


@contextmanager
def known_key(key_id: str) -> Generator[None]:
    """Say where the ids are if there is no such key."""
    try:
        yield
    except NotFoundError as error:
        raise NotFoundError(f"There is no key {key_id}. See `pronoia keys list`.", id=key_id) from error


def described(key: ApiKey) -> dict[str, object]:
    """Give what may be shown of a key, and whose it is."""
    return {**shown(key), "organisation_id": key.organisation_id}
