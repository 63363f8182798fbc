from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from store_makers import NOW, erasure, feedback, memory, relationship, unit

from pronoia.adapters.postgres.housekeeping import PostgresHousekeeping
from pronoia.domain.errors import IdempotencyConflictError, NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Idempotency, MemoryChanges

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio
ONCE = Idempotency("key-1", b"hash of the request")
LATER = NOW + timedelta(days=1)


async def test_an_addition_is_answered_again_as_it_was_the_first_time(store: PostgresMemoryStore, scope: Scope) -> None:
    await store.add(scope, [memory("tea")], None)
    sent = [memory("tea", tags=("a",), occurred_at=NOW, metadata='{"k":1}', vector=unit(1)), memory("new ✿")]
    first = await store.add(scope, sent, ONCE)
    await store.update(scope, first.memories[1].id, MemoryChanges(text="changed", terms=b""), LATER, None)
    again = await store.add(scope, [memory("tea"), memory("new ✿")], ONCE)
    assert again.replayed
    assert not first.replayed
    assert (again.version, again.memories) == (first.version, first.memories)
    assert first.memories[0].duplicate_of is not None
    assert (await store.state(scope)).memory_count == 3


async def test_every_other_write_is_answered_again_as_it_was_the_first_time(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    one, two = memory("one"), memory("two")
    await store.add(scope, [one, two], None)
    link = relationship(one.id, two.id)
    writes: list[Callable[[Idempotency], Awaitable[object]]] = [
        lambda key: store.update(scope, one.id, MemoryChanges(source="edit"), LATER, key),
        lambda key: store.judge(scope, one.id, feedback(helpful=True), key),
        lambda key: store.relate(scope, link, key),
        lambda key: store.unrelate(scope, link.id, key),
        lambda key: store.delete(scope, two.id, LATER, key),
        lambda key: store.forget(scope, key, erasure()),
    ]
    for number, write in enumerate(writes):
        key = Idempotency(f"key-{number}", b"hash")
        first, again = await write(key), await write(key)
        assert again.replayed
        assert not first.replayed
        assert {name: getattr(first, name) for name in first.__slots__ if name != "replayed"} == {
            name: getattr(again, name) for name in again.__slots__ if name != "replayed"
        }
    assert (await store.state(scope)).version == 1 + len(writes)


async def test_a_key_used_for_another_request_is_refused_and_nothing_is_written(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    await store.add(scope, [memory()], ONCE)
    other = Idempotency(ONCE.key, b"hash of another request")
    with pytest.raises(IdempotencyConflictError):
        await store.add(scope, [memory("other")], other)
    with pytest.raises(IdempotencyConflictError):
        await store.forget(scope, other, erasure())
    assert (await store.state(scope)).memory_count == 1


async def test_the_same_key_of_another_user_is_another_key(store: PostgresMemoryStore, scope: Scope) -> None:
    await store.add(scope, [memory()], ONCE)
    written = await store.add(Scope(scope.organisation_id, "bob"), [memory()], ONCE)
    assert not written.replayed


async def test_requests_that_arrive_together_are_done_once_and_answered_alike(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    outcomes = await asyncio.gather(*(store.add(scope, [memory("tea")], ONCE) for _ in range(5)))
    assert sorted(one.replayed for one in outcomes) == [False, True, True, True, True]
    assert len({(one.version, one.memories) for one in outcomes}) == 1
    assert (await store.state(scope)).memory_count == 1
    judged = Idempotency("key-2", b"hash")
    memory_id = outcomes[0].memories[0].id
    judgements = await asyncio.gather(
        *(store.judge(scope, memory_id, feedback(helpful=True), judged) for _ in range(5))
    )
    assert sorted(one.replayed for one in judgements) == [False, True, True, True, True]
    assert {one.helpfulness_score for one in judgements} == {0.6}


async def test_a_write_that_failed_leaves_its_key_unused(store: PostgresMemoryStore, scope: Scope) -> None:
    new = memory()
    with pytest.raises(NotFoundError):
        await store.delete(scope, new.id, LATER, ONCE)
    await store.add(scope, [new], None)
    assert not (await store.delete(scope, new.id, LATER, ONCE)).replayed


async def test_answers_that_repeat_a_text_go_when_the_memory_is_deleted(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    written = await store.add(scope, [memory("canary"), memory("other")], ONCE)
    await store.add(scope, [memory("third")], Idempotency("key-2", b"hash"))
    await store.delete(scope, written.memories[0].id, LATER, None)
    async with database.reading(scope.organisation_id) as connection:
        assert [row["key"] for row in await connection.fetch("select key from idempotency_keys")] == ["key-2"]


async def test_answers_are_kept_for_a_day(store: PostgresMemoryStore, database: Database, scope: Scope) -> None:
    await store.add(scope, [memory("one")], ONCE)
    await store.add(scope, [memory("two")], Idempotency("key-2", b"hash"))
    async with database.writing(scope.organisation_id) as connection:
        await connection.execute(
            "update idempotency_keys set created_at = now() - interval '25 hours' where key = $1", ONCE.key
        )
    assert await PostgresHousekeeping(database, direct_url="").purge_idempotency_keys(timedelta(days=1)) == 1
    assert (await store.add(scope, [memory("two")], Idempotency("key-2", b"hash"))).replayed
    assert not (await store.add(scope, [memory("one")], ONCE)).replayed
