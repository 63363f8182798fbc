from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from store_makers import NOW, RESIDENT_LIMIT, SPACE, Held, ids_of, key, memory, relationship, unit

from pronoia.adapters.postgres.housekeeping import PostgresHousekeeping
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind, Filters, Vector

if TYPE_CHECKING:
    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.records import NewMemory

pytestmark = pytest.mark.anyio
OVER_LIMIT = RESIDENT_LIMIT + 1


async def _index(database: Database) -> None:
    housekeeping = PostgresHousekeeping(database, direct_url="")
    for scope in await housekeeping.users_to_index():
        while not await housekeeping.mark_approximate(scope):
            pass


def _scattered(count: int, dimensions: int = 256) -> list[NewMemory]:
    numbers = np.random.default_rng(7).normal(size=(count, dimensions)).astype("<f4")
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    return [memory(f"filler number {place}", vector=Vector(SPACE, row.tobytes())) for place, row in enumerate(numbers)]


async def test_the_nearest_and_those_that_share_words_are_found(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    near = memory("nothing in common", vector=unit(1, 0.1))
    worded = memory("Walking the dogs at dawn", vector=unit(0, 0, 1))
    await store.add(scope, [*_scattered(OVER_LIMIT), near, worded], None)
    await _index(database)
    found = await store.candidates(scope, SPACE, unit(1), "a dog walks", Filters(), 1)
    assert set(ids_of(found.memories)) == {near.id, worded.id}
    assert (found.version, found.complete) == (1, True)
    found = await store.candidates(scope, SPACE, None, "dog parks", Filters(), 5)
    assert ids_of(found.memories) == [worded.id]
    found = await store.candidates(scope, SPACE, unit(1), "the of", Filters(), 1)
    assert ids_of(found.memories) == [near.id]


async def test_candidates_come_with_their_usage_and_the_relationships_among_them(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, scope: Scope
) -> None:
    one, two, other = (memory(text, vector=unit(1, place)) for place, text in enumerate(("one", "two", "other")))
    await store.add(scope, [one, two, other], None)
    link = (await store.relate(scope, relationship(one.id, two.id), None)).relationship
    await store.relate(scope, relationship(one.id, other.id), None)
    await accesses.record([Access(scope, used.id, AccessKind.GET, NOW) for used in (one, other)])
    held = Held().apply(await store.candidates(scope, SPACE, unit(1), "", Filters(), 2))
    whole = Held().apply(await store.load(scope, SPACE, None))
    assert held.memories == {one_id: whole.memories[one_id] for one_id in (one.id, two.id)}
    assert held.usage == {one.id: whole.usage[one.id]}
    assert held.relationships == {link.id: link}


async def test_a_small_tenant_among_a_large_one_is_given_as_many_as_it_asks_for(
    store: PostgresMemoryStore, keys: PostgresKeyStore, database: Database, scope: Scope
) -> None:
    small = Scope(uuid4(), "small")
    await keys.create(key(small.organisation_id))
    await store.add(
        scope, [*_scattered(OVER_LIMIT), *(memory(f"large {n}", vector=unit(1, n / 500)) for n in range(500))], None
    )
    mine = [memory(f"small {number}", vector=unit(1, 1, number / 50)) for number in range(50)]
    await store.add(small, mine, None)
    async with database.writing(small.organisation_id) as connection:
        await connection.execute("update users set search_state = 'indexing'")
    await _index(database)
    found = await store.candidates(small, SPACE, unit(1), "", Filters(), 10)
    assert len(ids_of(found.memories)) == 10
    assert set(ids_of(found.memories)) <= {one.id for one in mine}
    async with database.writing(small.organisation_id) as connection:
        # The same, when the planner has no way but through the shared index.
        await connection.execute("set local enable_seqscan = off")
        await connection.execute("set local enable_sort = off")
        await connection.execute("set local enable_bitmapscan = off")
        ids = await connection.fetch(
            "select search_candidates($1, $2, $3::halfvec, '', null, null, null, null, null, null, null, null, 10, "
            "null)",
            *("small", SPACE, _halves(unit(1))),
        )
    assert len(ids) == 10


def _halves(vector: Vector) -> bytes:
    numbers = np.frombuffer(vector.values, "<f4").astype(">f2")
    return numbers.size.to_bytes(2, "big") + b"\0\0" + numbers.tobytes()


async def test_filters_hold_for_both_ways_of_finding(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    fillers = _scattered(OVER_LIMIT)
    wanted = memory("walk the dog", tags=("a", "b"), project_id="p", metadata='{"k": 1}', vector=unit(0, 1))
    near = memory("walk the dog too", vector=unit(1))
    await store.add(scope, [*fillers, wanted, near], None)
    await _index(database)
    for filters in (Filters(tags=("b",)), Filters(project_id="p"), Filters(metadata={"k": 1})):
        found = await store.candidates(scope, SPACE, unit(1), "dog", filters, 5)
        assert ids_of(found.memories) == [wanted.id]
    found = await store.candidates(scope, SPACE, unit(1), "dog", Filters(created_after=wanted.created_at), 5)
    assert ids_of(found.memories) == [near.id]


@pytest.mark.parametrize("words", ["'", "a & | !", ":*", "dog:*", "\\", "((", "<->", "http://a.example/?b=1&c=2", "🐕"])
async def test_no_words_break_the_query(store: PostgresMemoryStore, scope: Scope, words: str) -> None:
    await store.add(scope, [memory("unrelated", vector=unit(1))], None)
    found = await store.candidates(scope, SPACE, unit(1), words, Filters(), 5)
    assert found.memories.texts == ["unrelated"]


async def test_vectors_of_another_space_are_not_compared(store: PostgresMemoryStore, scope: Scope) -> None:
    await store.add(scope, [memory("other", vector=unit(1, dimensions=64, space="other"))], None)
    assert (await store.candidates(scope, SPACE, unit(1), "", Filters(), 5)).memories.texts == []


async def test_only_users_over_the_limit_are_put_into_the_shared_indexes(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    await store.add(scope, _scattered(RESIDENT_LIMIT), None)
    housekeeping = PostgresHousekeeping(database, direct_url="")
    assert await housekeeping.users_to_index() == []
    await store.add(scope, [memory("one more")], None)
    assert await housekeeping.users_to_index() == [scope]
    await _index(database)
    assert await housekeeping.users_to_index() == []
    await store.add(scope, [memory("afterwards")], None)
    async with database.reading(scope.organisation_id) as connection:
        assert await connection.fetchval("select count(*) from memories where not approximate") == 0


async def test_while_a_user_is_being_indexed_candidates_are_found_all_the_same(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    near = memory("walk the dog", vector=unit(1))
    await store.add(scope, [*_scattered(OVER_LIMIT), near], None)
    found = await store.candidates(scope, SPACE, unit(1), "", Filters(), 1)
    assert ids_of(found.memories) == [near.id]
    found = await store.candidates(scope, SPACE, None, "dog", Filters(), 1)
    assert ids_of(found.memories) == [near.id]


async def test_an_index_for_vectors_of_another_size_is_built_once(database_url: str, database: Database) -> None:
    housekeeping = PostgresHousekeeping(database, direct_url=database_url)
    assert await housekeeping.ensure_vector_index(256) is False
    assert await housekeeping.ensure_vector_index(64) is True
    assert await housekeeping.ensure_vector_index(64) is False
    async with database.durable() as connection:
        assert await connection.fetchval(
            "select indisvalid from pg_index where indexrelid = 'memories_embedding_64'::regclass"
        )


async def test_an_index_whose_build_was_broken_off_is_built_again(
    database_url: str, store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    await store.add(scope, [memory("one", vector=unit(1)), memory("two", vector=unit(1))], None)
    async with database.writing(scope.organisation_id) as connection:
        await connection.execute("update memories set approximate = true")
    async with database._pool.acquire() as connection:
        with pytest.raises(Exception, match="could not create unique index"):
            await connection.execute("create unique index concurrently memories_embedding_64 on memories (project_id)")
    housekeeping = PostgresHousekeeping(database, direct_url=database_url)
    assert await housekeeping.ensure_vector_index(64) is True
