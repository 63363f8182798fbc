from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from pronoia.adapters.postgres.cache_tier import PostgresCacheTier
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.domain.errors import UnavailableError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Permission, Plan
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from pronoia.adapters.cache.local import LocalTier
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.ports.cache_tier import CacheEntry, CacheSize
    from pronoia.testing.clock import ManualClock

LIFETIME = 60.0
MAXIMUM_KEYS = 20


async def new_owner(database: Database, clock: ManualClock) -> Scope:
    """Give a user of an organisation that exists."""
    owner = Scope(uuid4(), "ada")
    await Keys(store=PostgresKeyStore(database), clock=clock).create(
        user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=owner.organisation_id
    )
    return owner


def table_tier(database: Database, clock: ManualClock, *, shared: bool) -> PostgresCacheTier:
    return PostgresCacheTier(
        database, name="3", shared=shared, lifetime_seconds=LIFETIME, clean_seconds=60, maximum_keys=MAXIMUM_KEYS,
        clock=clock,
    )  # fmt: skip


class Breakable:
    """A tier that can be made to fail, and counts how often it was asked."""

    def __init__(self, tier: LocalTier) -> None:
        self._tier = tier
        self.name = tier.name
        self.lifetime_seconds = tier.lifetime_seconds
        self.clean_seconds = tier.clean_seconds
        self.broken = False
        self.calls = 0

    def _answer(self) -> None:
        self.calls += 1
        if self.broken:
            raise UnavailableError("broken")

    async def get(self, owner: Scope, key: bytes) -> CacheEntry | None:
        self._answer()
        return await self._tier.get(owner, key)

    async def put(self, owner: Scope, key: bytes, entry: CacheEntry) -> None:
        self._answer()
        await self._tier.put(owner, key, entry)

    async def forget(self, owner: Scope) -> None:
        self._answer()
        await self._tier.forget(owner)

    async def clean(self) -> CacheSize:
        self._answer()
        return await self._tier.clean()

    async def close(self) -> None:
        await self._tier.close()
