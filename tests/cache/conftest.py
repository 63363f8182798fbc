from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cache_makers import LIFETIME, MAXIMUM_KEYS, new_owner, table_tier

from pronoia.adapters.cache.local import LocalTier
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.redis.cache_tier import RedisTier
from pronoia.testing.clock import ManualClock
from redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pronoia.domain.identifiers import Scope
    from pronoia.ports.cache_tier import CacheTier
    from redis_server import RedisServer


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=4, timeout_seconds=10)
    yield database
    await database.close()


@pytest.fixture
async def owner(database: Database, clock: ManualClock) -> Scope:
    return await new_owner(database, clock)


@pytest.fixture(params=["local", "shared", "kept", "redis"])
async def tier(request: pytest.FixtureRequest, database: Database, clock: ManualClock) -> AsyncIterator[CacheTier]:
    """Give every tier in turn, empty, for MAXIMUM_KEYS keys."""
    match request.param:
        case "local":
            tier: CacheTier = LocalTier(
                name="1", lifetime_seconds=LIFETIME, maximum_keys=MAXIMUM_KEYS, maximum_bytes=1 << 20, clock=clock
            )
        case "redis":
            server: RedisServer = request.getfixturevalue("redis")
            tier = RedisTier(
                server.url, name="2", lifetime_seconds=LIFETIME, maximum_keys=MAXIMUM_KEYS, timeout_seconds=5,
                clock=clock,
            )  # fmt: skip
            await tier._redis.flushall()
        case table:
            tier = table_tier(database, clock, shared=table == "shared")
    yield tier
    await tier.close()
