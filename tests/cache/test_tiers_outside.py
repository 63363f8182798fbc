"""What the tiers outside this process do when it is not alone, and when they are away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from cache_makers import LIFETIME, MAXIMUM_KEYS, table_tier

from pronoia.adapters.cache.local import LocalTier
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.redis.cache_tier import RedisTier
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.errors import ConfigurationError
from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.records import NewMemory
from pronoia.ports.cache_tier import CacheEntry
from pronoia.services.caches import REST_SECONDS, Caches, Kind, Made
from pronoia.testing.meter import RecordingMeter
from redis_server import running_redis

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.testing.clock import ManualClock

pytestmark = pytest.mark.anyio
KIND = Kind("kind", tiers=2)


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, resident_limit=100)


async def remember(store: PostgresMemoryStore, owner: Scope, clock: ManualClock) -> NewMemory:
    now = clock.now()
    memory = NewMemory(new_id(now), "secret", "api", "p", (), "{}", None, None, None, None, now, b"", None)
    await store.add(owner, [memory], None)
    return memory


@pytest.mark.parametrize("shared", [True, False])
async def test_a_table_takes_no_answer_of_a_version_that_is_past(
    database: Database, store: PostgresMemoryStore, owner: Scope, clock: ManualClock, shared: bool
) -> None:
    tier = table_tier(database, clock, shared=shared)
    await remember(store, owner, clock)
    for version, is_kept in ((1, True), (0, False), (2, False), (None, True)):
        entry = CacheEntry(b"value", clock.now().timestamp() + LIFETIME, version=version)
        await tier.put(owner, str(version).encode(), entry)
        assert (await tier.get(owner, str(version).encode()) is not None) is is_kept


async def test_a_table_that_fills_is_cleaned_before_its_turn(
    database: Database, owner: Scope, clock: ManualClock
) -> None:
    tier = table_tier(database, clock, shared=True)
    entry = CacheEntry(b"value", clock.now().timestamp() + LIFETIME)
    for key in (b"one", b"two"):
        assert tier.clean_seconds == 60
        await tier.put(owner, key, entry)
    assert tier.clean_seconds == 0
    await tier.clean()
    assert tier.clean_seconds == 60


@pytest.mark.parametrize("shared", [True, False])
async def test_forgetting_waits_for_an_answer_that_is_being_kept_and_removes_it(
    database: Database, store: PostgresMemoryStore, owner: Scope, clock: ManualClock, database_url: str, shared: bool
) -> None:
    tier = table_tier(database, clock, shared=shared)
    memory = await remember(store, owner, clock)
    table = "shared_answers" if shared else "kept_answers"
    holder, watcher = [await asyncpg.connect(database_url, timeout=10) for _ in range(2)]
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute(f"lock table {table} in exclusive mode")
    entry = CacheEntry(b"secret", clock.now().timestamp() + LIFETIME, version=1)
    keeping = asyncio.create_task(tier.put(owner, b"key", entry))
    await until_waiting(watcher, 1)
    forgetting = asyncio.create_task(store.delete(owner, memory.id, clock.now(), None))
    await until_waiting(watcher, 2)
    await transaction.rollback()
    await asyncio.gather(keeping, forgetting)
    assert await watcher.fetchval(f"select count(*) from {table}") == 0  # noqa: S608 - our own name
    await holder.close()
    await watcher.close()


async def until_waiting(watcher: asyncpg.Connection, count: int) -> None:
    async with asyncio.timeout(10):
        while await watcher.fetchval("select count(*) from pg_locks where not granted") < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_redis_that_dies_is_passed_over_and_used_again_when_it_is_back(clock: ManualClock) -> None:
    with running_redis() as server:
        redis = RedisTier(
            server.url, name="2", lifetime_seconds=600, maximum_keys=MAXIMUM_KEYS, timeout_seconds=5, clock=clock
        )
        local = LocalTier(name="1", lifetime_seconds=300, maximum_keys=1, maximum_bytes=1 << 20, clock=clock)
        caches = Caches(tiers=[local, redis], clock=clock, meter=RecordingMeter(), draw=lambda: 0.0)
        owner = Scope(uuid4(), "ada")
        runs = 0

        async def make() -> Made:
            nonlocal runs
            runs += 1
            return Made(b"value")

        async def fetch(key: bytes) -> int:
            assert await caches.fetch(KIND, owner, key, make) == b"value"
            await caches.settled()
            return runs

        assert [await fetch(key) for key in (b"one", b"two", b"one")] == [1, 2, 2]
        server.stop()
        assert [await fetch(key) for key in (b"two", b"one", b"two")] == [3, 4, 5]
        server.start()
        clock.advance(REST_SECONDS)
        assert [await fetch(key) for key in (b"one", b"two", b"one")] == [6, 7, 7]
        await caches.close()


def test_what_is_no_address_of_redis_is_refused_by_the_name_of_the_setting(clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError, match="PRONOIA_CACHE_URL"):
        RedisTier("what", name="2", lifetime_seconds=1, maximum_keys=1, timeout_seconds=1, clock=clock)


async def test_a_server_shares_its_answers_in_redis_where_it_is_told_to(database_url: str) -> None:
    with running_redis() as server:
        settings = read_settings({}, database_url=database_url, cache_url=server.url)
        async with open_services(settings) as services:
            owner = Scope(uuid4(), "ada")

            async def make() -> Made:
                return Made(b"value")

            await services.caches.fetch(KIND, owner, b"key", make)
            await services.caches.settled()
            found = await services.caches._tiers[1].get(owner, b"key")
            assert found is not None
            assert found.value == b"value"
            assert isinstance(services.caches._tiers[1]._tier, RedisTier)
