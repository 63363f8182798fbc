from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from pronoia.adapters.postgres.change_feed import MAXIMUM_PAYLOAD_BYTES, PostgresChangeFeed, payloads, read_entry
from pronoia.domain.identifiers import Scope
from pronoia.ports.snapshots import UserState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio
SECONDS = 10


class _Listener:
    """Runs a feed and keeps what it says in a queue."""

    def __init__(self, feed: PostgresChangeFeed) -> None:
        self._said: asyncio.Queue[object] = asyncio.Queue()
        self._task = asyncio.create_task(
            feed.run(
                lambda *change: self._said.put_nowait(change),
                lambda digest: self._said.put_nowait(("forgotten", digest)),
                lambda: self._said.put_nowait("lost"),
            )
        )

    async def next(self) -> object:
        return await asyncio.wait_for(self._said.get(), SECONDS)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


def _feed(database: Database, url: str) -> PostgresChangeFeed:
    return PostgresChangeFeed(database, direct_url=url, timeout_seconds=SECONDS, sleep=_at_once)


@pytest.fixture
async def listener(database: Database, database_url: str) -> AsyncIterator[_Listener]:
    listener = _Listener(_feed(database, database_url))
    assert await listener.next() == "lost"
    yield listener
    await listener.stop()


async def test_a_change_is_heard_from_another_process(
    database: Database, database_url: str, listener: _Listener
) -> None:
    scopes = [Scope(uuid4(), f"user {number}") for number in range(3)]
    other = _feed(database, database_url)
    await other.announce([(scope, UserState(7 + place, place, 99)) for place, scope in enumerate(scopes)])
    assert [await listener.next() for _ in scopes] == [
        (scope.digest, 7 + place, place) for place, scope in enumerate(scopes)
    ]


async def test_that_a_user_was_forgotten_is_heard_after_the_change(
    database: Database, database_url: str, listener: _Listener
) -> None:
    gone, other = Scope(uuid4(), "ada"), Scope(uuid4(), "grace")
    await _feed(database, database_url).announce([(gone, UserState(2, 0, 0)), (other, UserState(3, 0, 0))], {gone})
    assert [await listener.next() for _ in range(3)] == [
        (gone.digest, 2, 0), ("forgotten", gone.digest), (other.digest, 3, 0)
    ]  # fmt: skip


async def test_ones_own_changes_are_not_heard(database: Database, database_url: str) -> None:
    scope = Scope(uuid4(), "ada")
    feed = _feed(database, database_url)
    listener = _Listener(feed)
    assert await listener.next() == "lost"
    await feed.announce([(scope, UserState(1, 0, 0))])
    await _feed(database, database_url).announce([(scope, UserState(2, 0, 0))])
    assert await listener.next() == (scope.digest, 2, 0)
    await listener.stop()


async def test_a_connection_that_ends_is_told_and_replaced(
    database: Database, database_url: str, listener: _Listener
) -> None:
    connection = await asyncpg.connect(database_url, timeout=SECONDS)
    ended = await connection.fetchval(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where query like 'LISTEN%' and datname = current_database()"
    )
    await connection.close()
    assert ended
    assert [await listener.next(), await listener.next()] == ["lost", "lost"]
    scope = Scope(uuid4(), "ada")
    await _feed(database, database_url).announce([(scope, UserState(3, 0, 0))])
    assert await listener.next() == (scope.digest, 3, 0)


async def test_a_notice_that_cannot_be_read_counts_as_lost(database_url: str, listener: _Listener) -> None:
    connection = await asyncpg.connect(database_url, timeout=SECONDS)
    await connection.execute("select pg_notify('pronoia_changes', 'somebody nonsense')")
    await connection.close()
    assert await listener.next() == "lost"


def test_many_changes_fill_few_payloads_within_the_limit() -> None:
    entries = [f"{Scope(uuid4(), 'ada').digest.hex()}:{number}:{number}" for number in range(500)]
    filled = payloads("sender", entries)
    assert max(len(payload.encode()) for payload in filled) <= MAXIMUM_PAYLOAD_BYTES
    assert len(filled) == -(-sum(len(entry) + 1 for entry in entries) // (MAXIMUM_PAYLOAD_BYTES - 50))
    assert [entry for payload in filled for entry in payload.split(" ")[1:]] == entries
    assert payloads("sender", []) == []


def test_an_entry_is_read_as_it_was_written() -> None:
    assert read_entry("00ff:12:3") == (b"\x00\xff", 12, 3, False)
    assert read_entry("00ff:12:3:forgotten") == (b"\x00\xff", 12, 3, True)
    with pytest.raises(ValueError, match="non-hexadecimal"):
        read_entry("zz:1:2")
