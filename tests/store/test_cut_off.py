"""Callers who leave in the middle of a transaction, at every place where it waits: the next one finds nothing of it."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from store_makers import OPEN_TRANSACTIONS, until

from pronoia.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    import asyncpg

    from pgbouncer import Way
    from pronoia.adapters.postgres.driver import Connection
    from pronoia.adapters.postgres.transactions import Database

    Begin = Callable[[Database, UUID], AbstractAsyncContextManager[Connection]]

pytestmark = pytest.mark.anyio
TRANSACTIONS: dict[str, Begin] = {
    "reading": lambda database, tenant: database.reading(tenant),
    "writing": lambda database, tenant: database.writing(tenant),
    "several statements": lambda database, _: database.durable(),
    "one statement": lambda database, _: database.durable(one_statement=True),
}


@pytest.fixture
async def database(way: Way) -> AsyncIterator[Database]:
    """Give a database of one connection, which everybody is lent in turn."""
    database = await way.open(connections=1)
    yield database
    await database.close()


async def _leave(task: asyncio.Task[None], place: int, *, answered: bool, twice: bool) -> bool:
    """Cancel a task at the given one of its waits, at once or when the answer is there and not yet taken.

    False if it ended before.
    """
    waits, waiter = 0, None
    while not task.done():
        now = task._fut_waiter
        if now is not None and now is not waiter:
            waits, waiter = waits + 1, now
        if waits > place or (waits == place and waiter is not None and (waiter.done() or not answered)):
            task.cancel()
            await asyncio.sleep(0)
            if twice:
                task.cancel()
            return True
        await asyncio.sleep(0)
    return False


async def _find_it_clean(database: Database) -> None:
    tenant = uuid4()
    async with database.reading(tenant) as connection:
        assert await connection.fetchval("select current_setting('app.tenant')") == str(tenant)


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("answered", [False, True], ids=["unanswered", "answered"])
@pytest.mark.parametrize("kind", TRANSACTIONS)
async def test_whoever_leaves_wherever_they_wait_leaves_nothing_to_the_next(
    database: Database, administrator: asyncpg.Connection, kind: str, answered: bool, twice: bool
) -> None:
    async def ask(place: int) -> None:
        async with TRANSACTIONS[kind](database, uuid4()) as connection:
            # A text that the connection has not prepared yet.
            assert await connection.fetchval(f"select {place} from pg_class where $1 = '' limit 1", "") == place  # noqa: S608

    for place in count(1):
        task = asyncio.create_task(ask(place))
        left = await _leave(task, place, answered=answered, twice=twice)
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() is left
        await _find_it_clean(database)
        await until(administrator, OPEN_TRANSACTIONS, 0)
        if not left:
            break
    assert place > 2


@pytest.mark.parametrize("kind", TRANSACTIONS)
async def test_a_value_that_the_driver_cannot_write_leaves_nothing_to_the_next(database: Database, kind: str) -> None:
    for number in range(2):
        with pytest.raises(InvalidInputError):
            async with TRANSACTIONS[kind](database, uuid4()) as connection:
                await connection.fetchval(f"select {number} from pg_class where $1 = ''", "\ud800")  # noqa: S608
        await _find_it_clean(database)
