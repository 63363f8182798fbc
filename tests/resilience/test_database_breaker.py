"""A database that refuses everybody: the breaker opens, answers at once, and closes by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from database_administration import address, administer
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.errors import StoreCircuitOpenError, StoreUnavailableError
from pronoia.resilience import policies
from pronoia.resilience.breaker import Breaker, State
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio
LONGEST_REST = 60.0


class Guarded:
    def __init__(self, database: Database, breaker: Breaker, clock: ManualClock, url: str) -> None:
        self.database = database
        self.breaker = breaker
        self.clock = clock
        self._name = urlsplit(url).path.removeprefix("/")
        self._url = address(url, database="postgres")

    async def refuse(self) -> None:
        """Throw everybody out, and let nobody in but the superuser."""
        await self._administer(
            f"alter database {self._name} connection limit 0",
            f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{self._name}'",  # noqa: S608 - our own name
        )

    async def admit(self) -> None:
        await self._administer(f"alter database {self._name} connection limit -1")

    async def _administer(self, *statements: str) -> None:
        await asyncio.to_thread(administer, self._url, *statements)

    async def use(self) -> int:
        async with self.database.durable() as connection:
            return await connection.fetchval("select 1")

    async def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(StoreUnavailableError):
                await self.use()


@pytest.fixture
async def guarded(database_url: str) -> AsyncIterator[Guarded]:
    clock = ManualClock()
    breaker = Breaker("database", policies.DATABASE, monotonic=clock.monotonic)
    database = await Database.open(database_url, connections=2, timeout_seconds=10, breaker=breaker)
    yield Guarded(database, breaker, clock, database_url)
    await database.close()


async def test_five_failures_open_it_and_then_nobody_waits_for_the_database(guarded: Guarded) -> None:
    await guarded.refuse()
    await guarded.fail(5)
    assert guarded.breaker.state is State.OPEN
    await guarded.admit()
    with pytest.raises(StoreCircuitOpenError) as refused:
        await guarded.use()
    assert 1 <= refused.value.details["retry_after"] <= LONGEST_REST


async def test_health_asks_the_database_whatever_the_breaker_says(guarded: Guarded) -> None:
    await guarded.refuse()
    await guarded.fail(5)
    await guarded.admit()
    await guarded.database.check()
    assert guarded.breaker.state is State.OPEN


async def test_after_its_time_three_successes_close_it(guarded: Guarded) -> None:
    await guarded.refuse()
    await guarded.fail(5)
    await guarded.admit()
    guarded.clock.advance(LONGEST_REST)
    assert guarded.breaker.state is State.HALF_OPEN
    assert [await guarded.use() for _ in range(2)] == [1, 1]
    assert guarded.breaker.state is State.HALF_OPEN
    assert await guarded.use() == 1
    assert guarded.breaker.state is State.CLOSED


async def test_a_statement_that_is_wrong_says_nothing_against_the_database(guarded: Guarded) -> None:
    for _ in range(6):
        with pytest.raises(Exception, match="division"):
            async with guarded.database.durable() as connection:
                await connection.fetchval("select 1 / 0")
    assert guarded.breaker.state is State.CLOSED
