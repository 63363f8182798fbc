"""CacheTier on a table of PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.ports.cache_tier import CacheEntry, CacheSize

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope
    from pronoia.ports.clock import Clock

LARGEST_VALUE = 256 * 1024
"""Bytes; a larger answer is not worth its way."""
CLEANINGS_OF_A_FILLING = 10
"""It is time to clean, too, when this process alone has written a tenth of what may be kept."""


class PostgresCacheTier:
    """Rows under row-level security. Deleting a memory deletes its user's rows in the same transaction."""

    def __init__(
        self,
        database: Database,
        *,
        name: str,
        shared: bool,
        lifetime_seconds: float,
        clean_seconds: float,
        maximum_keys: int,
        clock: Clock,
    ) -> None:
        """`shared` takes the table that is not logged."""
        self.name = name
        self.lifetime_seconds = lifetime_seconds
        self._clean_seconds = clean_seconds
        self._database = database
        self._shared = shared
        self._table = "shared" if shared else "kept"
        self._maximum_keys = maximum_keys
        self._clock = clock
        self._writes = 0

    @property
    def clean_seconds(self) -> float:
        """Say how often to clean: at once when much was written since the last time."""
        return 0.0 if self._writes * CLEANINGS_OF_A_FILLING >= self._maximum_keys else self._clean_seconds

    async def get(self, owner: Scope, key: bytes) -> CacheEntry | None:
        """Give what is kept and has not expired."""
        async with self._database.reading(owner.organisation_id) as connection:
            row = await connection.fetchrow(
                QUERIES[f"find_{self._table}_answer"],
                owner.organisation_id,
                owner.user_id,
                key,
                self._clock.now(),
            )
        return None if row is None else CacheEntry(row["value"], row["expires_at"], row["cost_seconds"], row["version"])

    async def put(self, owner: Scope, key: bytes, entry: CacheEntry) -> None:
        """Keep a value, unless it is too large, or the owner's memory has moved on from its version."""
        if len(entry.value) > LARGEST_VALUE:
            return
        async with self._database.writing(owner.organisation_id) as connection:
            await connection.execute(
                QUERIES[f"keep_{self._table}_answer"],
                owner.organisation_id,
                owner.user_id,
                key,
                entry.value,
                entry.cost_seconds,
                entry.version,
                datetime.fromtimestamp(entry.expires_at, UTC),
            )
        self._writes += 1

    async def forget(self, owner: Scope) -> None:
        """Drop all of an owner's values."""
        async with self._database.writing(owner.organisation_id) as connection:
            await connection.execute(QUERIES[f"forget_{self._table}_answers"], owner.organisation_id, owner.user_id)

    async def clean(self) -> CacheSize:
        """Drop what has expired and what is beyond the bounds, and say what is left."""
        self._writes = 0
        async with self._database.writing(None) as connection:
            row = await fetch_one(
                connection, QUERIES["clean_answers"], self._shared, self._maximum_keys, self._clock.now()
            )
        return CacheSize(row["entries"], row["bytes"])

    async def close(self) -> None:
        """Leave the rows to the others."""
