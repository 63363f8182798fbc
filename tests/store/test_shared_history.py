"""What one process records of a user's uses, another one reads, each use once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from store_makers import NOW, SPACE, memory

from pronoia.adapters.postgres.change_feed import PostgresChangeFeed
from pronoia.domain.records import AccessKind
from pronoia.memory.residents import Residents
from pronoia.services.changes import Changes
from pronoia.services.uses import Uses
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope

pytestmark = pytest.mark.anyio


class Process:
    """The part of a server process that keeps histories."""

    def __init__(self, store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database) -> None:
        self.residents = Residents(
            store, RecordingMeter(), space=SPACE, dimensions=256, budget_bytes=1 << 30, resident_limit=1_000
        )
        feed = PostgresChangeFeed(database, direct_url="", timeout_seconds=1)
        changes = Changes(feed=feed, residents=self.residents)
        self.clock = ManualClock(NOW + timedelta(days=1))
        self.uses = Uses(access_log=accesses, residents=self.residents, changes=changes, clock=self.clock)

    async def use(self, scope: Scope, memory_id: UUID) -> None:
        self.clock.advance(1)
        await self.residents.get(scope)
        self.uses.record(scope, [memory_id], AccessKind.GET)

    async def uses_after_writing(self, scope: Scope) -> list[UUID]:
        """Give the history without the first use of each memory, which stands for its being written."""
        history = await self.history(scope)
        return [one for place, one in enumerate(history) if one in history[:place]]

    async def history(self, scope: Scope) -> list[UUID]:
        held = await self.residents.get(scope)
        assert held is not None
        return [held.history.id(number) for number in held.history.items.tolist()]


async def test_uses_of_two_processes_make_one_history_in_each(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope
) -> None:
    first, second = memory("first"), memory("second")
    await store.add(scope, [first, second], None)
    here, there = Process(store, accesses, database), Process(store, accesses, database)
    await here.use(scope, first.id)
    await there.use(scope, second.id)
    await there.uses.flush()
    await here.uses.flush()
    await here.use(scope, first.id)
    assert sorted(await here.uses_after_writing(scope)) == sorted([first.id, second.id, first.id])
    await here.uses.flush()
    there.residents.heard(scope.digest, 0, 3)
    assert sorted(await there.uses_after_writing(scope)) == sorted([first.id, second.id, first.id])


async def test_uses_recorded_before_a_user_is_here_are_read_from_the_log(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope
) -> None:
    one = memory("one")
    await store.add(scope, [one], None)
    process = Process(store, accesses, database)
    process.uses.record(scope, [one.id], AccessKind.WRITE)
    await process.use(scope, one.id)
    await process.uses.flush()
    assert await process.history(scope) == [one.id, one.id]


async def test_a_history_is_read_again_after_a_restart(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope
) -> None:
    one, other = memory("one"), memory("other")
    await store.add(scope, [one, other], None)
    before = Process(store, accesses, database)
    for memory_id in (one.id, other.id, one.id):
        await before.use(scope, memory_id)
    await before.uses.flush()
    assert await Process(store, accesses, database).history(scope) == [one.id, other.id, one.id]


async def test_a_deleted_memory_leaves_the_history(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope
) -> None:
    one, other = memory("one"), memory("other")
    await store.add(scope, [one, other], None)
    here, there = Process(store, accesses, database), Process(store, accesses, database)
    for memory_id in (one.id, other.id):
        await here.use(scope, memory_id)
    await here.uses.flush()
    assert await there.history(scope) == [one.id, other.id]
    written = await store.delete(scope, one.id, NOW, None)
    for process in (here, there):
        process.residents.heard(scope.digest, written.version, 0)
        assert set(await process.history(scope)) == {other.id}
