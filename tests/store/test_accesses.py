from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import NOW, key, memory

from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind

if TYPE_CHECKING:
    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio
LATER = NOW + timedelta(minutes=1)


async def _events(database: Database, scope: Scope) -> list[tuple[object, ...]]:
    async with database.reading(scope.organisation_id) as connection:
        rows = await connection.fetch("select activity, memory_id, kind, at, context from accesses order by activity")
    return [tuple(row.values()) for row in rows]


async def _contexts(database: Database, scope: Scope) -> dict[str, int]:
    async with database.reading(scope.organisation_id) as connection:
        return json.loads(await connection.fetchval("select contexts::text from memory_usage"))


async def test_uses_of_many_tenants_are_counted_and_numbered_in_one_call(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, keys: PostgresKeyStore, database: Database, scope: Scope
) -> None:
    other = Scope(uuid4(), "bob")
    await keys.create(key(other.organisation_id))
    mine, second, his = memory("mine"), memory("second"), memory("his")
    await store.add(scope, [mine, second], None)
    await store.add(other, [his], None)
    activities = await accesses.record(
        [
            Access(scope, mine.id, AccessKind.GET, LATER, "morning"),
            Access(other, his.id, AccessKind.RECALL, NOW),
            Access(scope, second.id, AccessKind.RECALL, NOW),
            Access(scope, mine.id, AccessKind.RECALL, NOW, "morning"),
        ]
    )
    assert activities == {scope: 3, other: 1}
    assert await accesses.record([Access(scope, mine.id, AccessKind.GET, NOW, "evening")]) == {scope: 4}
    read = await store.memory(scope, mine.id)
    assert (read.usage_count, read.last_accessed) == (3, LATER)
    assert (await store.memory(other, his.id)).usage_count == 1
    assert (await store.state(scope)).activity == 4
    assert await _events(database, scope) == [
        (1, mine.id, "get", LATER, "morning"),
        (2, second.id, "recall", NOW, None),
        (3, mine.id, "recall", NOW, "morning"),
        (4, mine.id, "get", NOW, "evening"),
    ]


async def test_feedback_and_writes_are_events_but_not_uses(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope
) -> None:
    new = memory()
    await store.add(scope, [new], None)
    activities = await accesses.record(
        [Access(scope, new.id, AccessKind.FEEDBACK, NOW), Access(scope, new.id, AccessKind.WRITE, NOW)]
    )
    assert activities == {scope: 2}
    read = await store.memory(scope, new.id)
    assert (read.usage_count, read.last_accessed) == (0, None)
    assert [event[2] for event in await _events(database, scope)] == ["feedback", "write"]


async def test_uses_of_memories_that_are_gone_or_anothers_are_dropped(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, scope: Scope
) -> None:
    new, hers = memory(), memory()
    eve = Scope(scope.organisation_id, "eve")
    stranger = Scope(uuid4(), "nobody")
    await store.add(scope, [new], None)
    await store.add(eve, [hers], None)
    activities = await accesses.record(
        [
            Access(scope, uuid4(), AccessKind.GET, NOW),
            Access(scope, new.id, AccessKind.GET, NOW),
            Access(eve, new.id, AccessKind.GET, NOW),
            Access(stranger, new.id, AccessKind.GET, NOW),
        ]
    )
    assert activities == {scope: 1, eve: 0, stranger: 0}
    assert (await store.memory(scope, new.id)).usage_count == 1


async def test_contexts_are_counted_and_the_known_ones_outlive_the_fiftieth(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope
) -> None:
    new = memory()
    await store.add(scope, [new], None)
    uses = [Access(scope, new.id, AccessKind.GET, NOW, f"context {number:02}") for number in range(49)]
    await accesses.record([*uses, uses[0]])
    await accesses.record([Access(scope, new.id, AccessKind.GET, NOW, name) for name in ("z", "a", "z", "b")])
    contexts = await _contexts(database, scope)
    assert contexts == {"context 00": 2, **{f"context {number:02}": 1 for number in range(1, 49)}, "z": 2}


async def test_batches_about_the_same_users_in_any_order_all_count(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, scope: Scope
) -> None:
    users = [Scope(scope.organisation_id, f"user {number}") for number in range(8)]
    new = {user: memory() for user in users}
    for user in users:
        await store.add(user, [new[user]], None)
    uses = [Access(user, new[user].id, AccessKind.GET, NOW) for user in users]
    await asyncio.gather(*(accesses.record(uses[::step]) for step in (1, -1) * 10))
    assert [(await store.memory(user, new[user].id)).usage_count for user in users] == [20] * 8
    assert (await store.state(users[0])).activity == 20
