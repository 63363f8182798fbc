from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pronoia.adapters.postgres.limit_store import PostgresLimitStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.redis.limit_store import RedisLimitStore
from pronoia.resilience.clock import SystemClock
from pronoia.testing.clock import ManualClock
from pronoia.testing.limit_store import InMemoryLimitStore
from pronoia.testing.meter import RecordingMeter
from redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from pronoia.ports.limit_store import LimitStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with running_redis() as server:
        yield server.url


@pytest.fixture(params=["memory", "postgres", "redis"])
def limit_store_url(request: pytest.FixtureRequest) -> str:
    """Give where the budgets are; empty for memory."""
    fixtures = {"postgres": "database_url", "redis": "redis_url"}
    return request.getfixturevalue(fixtures[request.param]) if request.param in fixtures else ""


@pytest.fixture
async def open_limit_store(limit_store_url: str) -> AsyncIterator[Callable[[], Awaitable[LimitStore]]]:
    """Give what opens one more process's view of one store."""
    opened: list[PostgresLimitStore | RedisLimitStore] = []
    shared = InMemoryLimitStore(SystemClock())

    async def open_one() -> LimitStore:
        if not limit_store_url:
            return shared
        if limit_store_url.startswith("unix:"):
            opened.append(RedisLimitStore(limit_store_url, timeout_seconds=5))
        else:
            opened.append(PostgresLimitStore(await Database.open(limit_store_url, connections=2, timeout_seconds=5)))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def limit_store(open_limit_store):
    return await open_limit_store()
