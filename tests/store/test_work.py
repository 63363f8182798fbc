from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import NOW, SPACE, key, loaded_relationships, memory, relationship, unit, vectors_of

from pronoia.domain.identifiers import Scope
from pronoia.domain.records import MemoryChanges, RelationshipType
from pronoia.ports.work_queue import PendingWork, WorkKind

if TYPE_CHECKING:
    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.adapters.postgres.work_queue import PostgresWorkQueue

pytestmark = pytest.mark.anyio


async def _let_leases_end(database: Database, scope: Scope) -> None:
    async with database.writing(scope.organisation_id) as connection:
        await connection.execute("update work set available_at = now() where available_at > now()")


async def test_adding_leaves_work_of_every_tenant_that_is_handed_out_once(
    store: PostgresMemoryStore, work: PostgresWorkQueue, keys: PostgresKeyStore, scope: Scope
) -> None:
    other = Scope(uuid4(), "bob")
    await keys.create(key(other.organisation_id))
    embedded, bare, his = memory("one", vector=unit(1)), memory("two"), memory("three")
    await store.add(scope, [embedded, bare], None)
    await store.add(other, [his], None)
    claims = await asyncio.gather(*(work.claim(WorkKind.LINK, 10, 60) for _ in range(3)))
    claimed = {one.scope: one.memory_ids for claim in claims for one in claim}
    assert claimed == {scope: (embedded.id, bare.id), other: (his.id,)}
    claimed = {one.scope: one.memory_ids for one in await work.claim(WorkKind.EMBED, 10, 60)}
    assert claimed == {scope: (bare.id,), other: (his.id,)}


async def test_no_more_than_the_limit_is_handed_out(
    store: PostgresMemoryStore, work: PostgresWorkQueue, scope: Scope
) -> None:
    await store.add(scope, [memory(f"text {number}") for number in range(5)], None)
    sizes = [sum(len(one.memory_ids) for one in await work.claim(WorkKind.LINK, 2, 60)) for _ in range(4)]
    assert sizes == [2, 2, 1, 0]


async def test_a_claim_that_was_not_finished_is_given_out_again(
    store: PostgresMemoryStore, work: PostgresWorkQueue, database: Database, scope: Scope
) -> None:
    new = memory()
    await store.add(scope, [new], None)
    assert len(await work.claim(WorkKind.LINK, 10, 60)) == 1
    assert await work.claim(WorkKind.LINK, 10, 60) == []
    await _let_leases_end(database, scope)
    assert [one.memory_ids for one in await work.claim(WorkKind.LINK, 10, 60)] == [(new.id,)]


async def test_found_links_are_stored_beside_those_that_exist(
    store: PostgresMemoryStore, work: PostgresWorkQueue, database: Database, scope: Scope
) -> None:
    one, two = memory("one"), memory("two")
    await store.add(scope, [one, two], None)
    known = (await store.relate(scope, relationship(one.id, two.id, strength=0.9), None)).relationship
    (claimed,) = await work.claim(WorkKind.LINK, 10, 60)
    found = relationship(two.id, one.id, RelationshipType.FOLLOWS)
    written = await work.finish_links(
        claimed, [relationship(one.id, two.id, strength=0.1), found, relationship(one.id, uuid4())]
    )
    assert written.version == 3
    assert (await store.state(scope)).version == 3
    assert {link.id: link for link in loaded_relationships(await store.load(scope, SPACE, None))} == {
        known.id: known,
        found.id: found,
    }
    await _let_leases_end(database, scope)
    assert await work.claim(WorkKind.LINK, 10, 60) == []


async def test_finding_nothing_new_leaves_the_version(
    store: PostgresMemoryStore, work: PostgresWorkQueue, scope: Scope
) -> None:
    new = memory()
    await store.add(scope, [new], None)
    (claimed,) = await work.claim(WorkKind.LINK, 10, 60)
    assert (await work.finish_links(claimed, [])).version == 1
    assert (await store.state(scope)).version == 1


async def test_vectors_that_came_later_are_stored_and_their_memories_linked_anew(
    store: PostgresMemoryStore, work: PostgresWorkQueue, database: Database, scope: Scope
) -> None:
    new = memory()
    await store.add(scope, [new], None)
    (linking,) = await work.claim(WorkKind.LINK, 10, 60)
    await work.finish_links(linking, [])
    (embedding,) = await work.claim(WorkKind.EMBED, 10, 60)
    written = await work.finish_vectors(embedding, [(new.id, unit(0, 1))])
    assert written.version == 2
    delta = await store.load(scope, SPACE, None)
    assert (delta.version, delta.memories.embedded, vectors_of(delta.memories)[0][:2]) == (2, [True], [0.0, 1.0])
    assert [one.memory_ids for one in await work.claim(WorkKind.LINK, 10, 60)] == [(new.id,)]
    await _let_leases_end(database, scope)
    assert await work.claim(WorkKind.EMBED, 10, 60) == []


async def test_a_vector_of_a_text_that_changed_meanwhile_is_dropped(
    store: PostgresMemoryStore, work: PostgresWorkQueue, scope: Scope
) -> None:
    new = memory("old")
    await store.add(scope, [new], None)
    (claimed,) = await work.claim(WorkKind.EMBED, 10, 60)
    await store.update(scope, new.id, MemoryChanges(text="new", terms=b""), NOW + timedelta(days=1), None)
    await work.finish_vectors(claimed, [(new.id, unit(1))])
    assert (await store.load(scope, SPACE, None)).memories.embedded == [False]
    assert [one.memory_ids for one in await work.claim(WorkKind.EMBED, 10, 60)] == [(new.id,)]


async def test_finishing_for_a_deleted_memory_does_nothing(
    store: PostgresMemoryStore, work: PostgresWorkQueue, scope: Scope
) -> None:
    gone = memory()
    await store.add(scope, [gone], None)
    (claimed,) = await work.claim(WorkKind.EMBED, 10, 60)
    await store.delete(scope, gone.id, NOW, None)
    assert (await work.finish_vectors(claimed, [(gone.id, unit(1))])).version == 2
    nobodys = PendingWork(Scope(scope.organisation_id, "nobody"), (), ())
    assert (await work.finish_vectors(nobodys, [])).version == 0


async def test_who_comes_late_neither_overwrites_nor_closes_what_another_has_claimed_since(
    store: PostgresMemoryStore, work: PostgresWorkQueue, database: Database, scope: Scope
) -> None:
    """The text changed while the first process was frozen: its vector is of the old one."""
    new = memory("old")
    await store.add(scope, [new], None)
    (late_linking,) = await work.claim(WorkKind.LINK, 10, 60)
    (late,) = await work.claim(WorkKind.EMBED, 10, 60)
    await store.update(scope, new.id, MemoryChanges(text="new", terms=b""), NOW + timedelta(days=1), None)
    (current,) = await work.claim(WorkKind.EMBED, 10, 60)
    assert (await work.finish_vectors(late, [(new.id, unit(0, 1))])).version == 2
    assert (await store.load(scope, SPACE, None)).memories.embedded == [False]
    await work.finish_vectors(current, [(new.id, unit(1))])
    assert vectors_of((await store.load(scope, SPACE, None)).memories)[0][:2] == [1.0, 0.0]
    await _let_leases_end(database, scope)
    (linking,) = await work.claim(WorkKind.LINK, 10, 60)
    found = relationship(new.id, new.id, RelationshipType.FOLLOWS)
    assert (await work.finish_links(late_linking, [found])).version == 3
    assert (await work.finish_links(linking, [])).version == 3
    assert await work.claim(WorkKind.LINK, 10, 60) == []
