from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import (
    NOW,
    SPACE,
    Held,
    erasure,
    feedback,
    ids_of,
    loaded_relationships,
    memory,
    relationship,
    unit,
    vectors_of,
)

from pronoia.domain.errors import IdempotencyConflictError, InvalidInputError, NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind, Idempotency, MemoryChanges, RelationshipType
from pronoia.ports.snapshots import UserState
from pronoia.ports.work_queue import WorkKind

if TYPE_CHECKING:
    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.adapters.postgres.work_queue import PostgresWorkQueue

pytestmark = pytest.mark.anyio
LATER = NOW + timedelta(days=1)
LONG_AGO = datetime(1999, 12, 31, 23, 59, 59, 123_456, UTC)


async def test_every_field_of_an_added_memory_is_stored(store: PostgresMemoryStore, scope: Scope) -> None:
    new = memory(
        "Grace keeps bees ✿.",
        source="chat",
        project_id="garden",
        tags=("bees", 'with "quotes"'),
        metadata='{"mood": "good", "n": 1.5}',
        session_id="s1",
        agent_id="a1",
        speaker="Grace",
        occurred_at=LATER,
        vector=unit(1),
    )
    written = await store.add(scope, [new], None)
    stored = await store.memory(scope, new.id)
    assert written.version == 1
    assert written.memories == (stored,)
    assert (stored.text, stored.source, stored.project_id) == ("Grace keeps bees ✿.", "chat", "garden")
    assert stored.tags == ("bees", 'with "quotes"')
    assert stored.metadata == '{"mood": "good", "n": 1.5}'
    assert (stored.session_id, stored.agent_id, stored.speaker) == ("s1", "a1", "Grace")
    assert (stored.occurred_at, stored.created_at, stored.updated_at) == (LATER, new.created_at, new.created_at)
    assert (stored.usage_count, stored.last_accessed, stored.helpfulness_score) == (0, None, 0.5)


async def test_each_write_takes_the_next_version_and_counts_memories(store: PostgresMemoryStore, scope: Scope) -> None:
    assert await store.state(scope) == UserState(0, 0, 0)
    first = await store.add(scope, [memory("one"), memory("two")], None)
    second = await store.add(scope, [memory("three")], None)
    assert (first.version, second.version) == (1, 2)
    assert await store.state(scope) == UserState(version=2, activity=0, memory_count=3)


async def test_a_repeated_text_names_the_oldest_memory_that_lives(store: PostgresMemoryStore, scope: Scope) -> None:
    oldest, second, third, other = memory("tea"), memory("tea"), memory("tea"), memory("Tea")
    await store.add(scope, [oldest], None)
    assert (await store.add(scope, [second, other], None)).memories[0].duplicate_of == oldest.id
    assert (await store.memory(scope, other.id)).duplicate_of is None
    await store.delete(scope, oldest.id, LATER, None)
    assert (await store.add(scope, [third], None)).memories[0].duplicate_of == second.id


async def test_a_text_repeated_within_a_batch_names_the_first_of_it(store: PostgresMemoryStore, scope: Scope) -> None:
    first, other, again = memory("tea"), memory("milk"), memory("tea")
    written = await store.add(scope, [first, other, again], None)
    assert [one.duplicate_of for one in written.memories] == [None, None, first.id]
    assert (await store.memory(scope, again.id)).duplicate_of == first.id


async def test_the_same_text_of_another_user_is_no_duplicate(store: PostgresMemoryStore, scope: Scope) -> None:
    await store.add(scope, [memory("tea")], None)
    written = await store.add(Scope(scope.organisation_id, "bob"), [memory("tea")], None)
    assert written.memories[0].duplicate_of is None


async def test_a_memory_for_an_unknown_organisation_is_refused(store: PostgresMemoryStore) -> None:
    with pytest.raises(NotFoundError):
        await store.add(Scope(uuid4(), "ada"), [memory()], None)


async def test_text_that_the_database_cannot_hold_is_the_callers_mistake(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    with pytest.raises(InvalidInputError):
        await store.add(scope, [memory("nul \x00 character")], None)


async def test_an_update_replaces_what_is_given_and_keeps_the_rest(store: PostgresMemoryStore, scope: Scope) -> None:
    new = memory("tea", source="chat", tags=("a",), metadata='{"k": 1}', vector=unit(1))
    await store.add(scope, [new], None)
    written = await store.update(scope, new.id, MemoryChanges(tags=("b", "c"), project_id="p"), LATER, None)
    (changed,) = written.memories
    assert changed == await store.memory(scope, new.id)
    assert (changed.text, changed.source, changed.project_id, changed.tags) == ("tea", "chat", "p", ("b", "c"))
    assert (changed.metadata, changed.created_at, changed.updated_at) == ('{"k": 1}', new.created_at, LATER)
    columns = (await store.load(scope, SPACE, None)).memories
    assert vectors_of(columns)[0][:2] == [1.0, 0.0]


async def test_a_new_text_without_a_vector_drops_the_old_vector_and_asks_for_one(
    store: PostgresMemoryStore, work: PostgresWorkQueue, scope: Scope
) -> None:
    new = memory("tea", vector=unit(1))
    await store.add(scope, [new], None)
    assert await work.claim(WorkKind.EMBED, 10, 60) == []
    await store.update(scope, new.id, MemoryChanges(text="coffee", terms=b"\x09\x00\x00\x00"), LATER, None)
    columns = (await store.load(scope, SPACE, None)).memories
    assert (columns.texts, columns.embedded, columns.vectors) == (["coffee"], [False], b"")
    assert (columns.terms, columns.term_counts) == (b"\x09\x00\x00\x00", [1])
    assert [one.memory_ids for one in await work.claim(WorkKind.EMBED, 10, 60)] == [(new.id,)]


async def test_a_new_text_with_a_vector_replaces_both(
    store: PostgresMemoryStore, work: PostgresWorkQueue, scope: Scope
) -> None:
    new = memory("tea", vector=unit(1))
    await store.add(scope, [new], None)
    await store.update(scope, new.id, MemoryChanges(text="coffee", terms=b"", vector=unit(0, 1)), LATER, None)
    columns = (await store.load(scope, SPACE, None)).memories
    assert vectors_of(columns)[0][:2] == [0.0, 1.0]
    assert await work.claim(WorkKind.EMBED, 10, 60) == []


async def test_an_update_to_a_text_that_exists_names_the_duplicate(store: PostgresMemoryStore, scope: Scope) -> None:
    tea, milk = memory("tea"), memory("milk")
    await store.add(scope, [tea, milk], None)
    written = await store.update(scope, milk.id, MemoryChanges(text="tea", terms=b""), LATER, None)
    assert written.memories[0].duplicate_of == tea.id


async def test_history_tells_additions_updates_and_that_something_was_deleted(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    new = memory("one")
    await store.add(scope, [new], None)
    await store.update(scope, new.id, MemoryChanges(source="edit"), LATER, None)
    await store.update(scope, new.id, MemoryChanges(text="two", terms=b""), LATER, None)
    told = await store.history(scope, new.id)
    assert [(one.event, one.version, one.at, one.old_text, one.new_text) for one in told] == [
        ("ADD", 1, new.created_at, None, "one"),
        ("UPDATE", 2, LATER, None, None),
        ("UPDATE", 3, LATER, "one", "two"),
    ]
    await store.delete(scope, new.id, LATER, None)
    told = await store.history(scope, new.id)
    assert [(one.event, one.version, one.at, one.old_text, one.new_text) for one in told] == [
        ("DELETE", 4, LATER, None, None)
    ]
    with pytest.raises(NotFoundError):
        await store.history(scope, uuid4())


async def test_a_deletion_leaves_nothing_of_the_memory_in_any_table(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope
) -> None:
    gone, other = memory("canary text"), memory("other")
    await store.add(scope, [gone, other], None)
    await store.update(scope, gone.id, MemoryChanges(text="canary again", terms=b""), LATER, None)
    await store.relate(scope, relationship(other.id, gone.id), None)
    await store.judge(scope, gone.id, feedback(helpful=True, context="canary context"), None)
    await accesses.record([Access(scope, gone.id, AccessKind.GET, LATER, "canary context")])
    written = await store.delete(scope, gone.id, LATER, None)
    assert written.memories == ()
    assert (await store.state(scope)).memory_count == 1
    async with database.reading(scope.organisation_id) as connection:
        tables = ("memories", "memory_usage", "accesses", "feedback", "relationships", "memory_revisions", "work")
        for table in (*tables, "idempotency_keys"):
            rows = await connection.fetch(f"select t::text as row from {table} t")  # noqa: S608 - our own names
            assert not [row["row"] for row in rows if "canary" in row["row"] or str(gone.id) in row["row"]], table
    with pytest.raises(NotFoundError):
        await store.memory(scope, gone.id)


async def test_forgetting_a_user_removes_everything_and_keeps_counting_versions(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, scope: Scope
) -> None:
    kept = Scope(scope.organisation_id, "bob")
    one, two, other = memory("one"), memory("two"), memory("three")
    await store.add(scope, [one, two], None)
    await store.add(kept, [other], None)
    await store.relate(scope, relationship(one.id, two.id), None)
    await accesses.record([Access(scope, one.id, AccessKind.GET, LATER)])
    before = await store.state(scope)
    forgotten = await store.forget(scope, None, erasure())
    assert (forgotten.memories, forgotten.version) == (2, before.version + 1)
    snapshot = await store.load(scope, SPACE, before)
    assert snapshot.complete
    assert Held().apply(snapshot) == Held()
    assert (await store.state(scope)).memory_count == 0
    assert ids_of((await store.load(kept, SPACE, None)).memories) == [other.id]
    assert (await store.add(scope, [memory("anew")], None)).version == forgotten.version + 1


async def test_a_forgotten_user_leaves_no_name_even_where_the_outcome_is_kept(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope
) -> None:
    person = Scope(scope.organisation_id, "person-zyxomma")
    new, once = memory("one"), Idempotency("forget", b"hash")
    await store.add(person, [new], Idempotency("add", b"hash"))
    await accesses.record([Access(person, new.id, AccessKind.GET, LATER)])
    before = await store.state(person)
    forgotten = await store.forget(person, once, erasure())
    assert await tables_naming(database, scope, person.user_id) == set()
    again = await store.forget(person, once, erasure())
    assert (again.replayed, again.memories, again.version) == (True, 1, forgotten.version)
    with pytest.raises(IdempotencyConflictError):
        await store.add(person, [memory("two")], Idempotency("forget", b"another"))
    assert await tables_naming(database, scope, person.user_id) == set()
    state = await store.state(person)
    assert (state.version, state.activity, state.memory_count) == (forgotten.version, before.activity, 0)


async def test_whoever_comes_back_goes_on_counting_and_holders_of_old_sets_read_anew(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, scope: Scope
) -> None:
    old = memory("one")
    await store.add(scope, [old], None)
    await accesses.record([Access(scope, old.id, AccessKind.GET, LATER)])
    before = await store.state(scope)
    forgotten = await store.forget(scope, None, erasure())
    anew = memory("anew")
    assert (await store.add(scope, [anew], None)).version == forgotten.version + 1
    assert (await store.state(scope)).activity == before.activity
    snapshot = await store.load(scope, SPACE, before)
    assert snapshot.complete
    assert ids_of(snapshot.memories) == [anew.id]
    assert (await store.forget(scope, None, erasure())).version == forgotten.version + 2
    assert (await store.state(scope)).version == forgotten.version + 2


async def tables_naming(database: Database, scope: Scope, name: str) -> set[str]:
    async with database.reading(scope.organisation_id) as connection:
        tables = await connection.fetch(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace "
            "and has_table_privilege(oid, 'select')"
        )
        assert len(tables) > 20
        found = set()
        for (table,) in tables:
            query = f"select exists (select from {table} t where strpos(t::text, $1) > 0)"  # noqa: S608 - a name of the catalogue
            if await connection.fetchval(query, name):
                found.add(table)
        return found


@pytest.mark.parametrize(
    ("helpful", "satisfaction", "expected"),
    [
        (True, None, 0.6),
        (False, None, 0.45),
        (True, 0.9, 0.62),
        (False, 0.9, 0.5),
        (True, 0.1, 0.5),
        (False, 0.1, 0.38),
        (False, 0.0, 0.35),
        (True, 1.0, 0.65),
    ],
)
async def test_a_judgement_moves_helpfulness_and_never_against_what_was_said(
    store: PostgresMemoryStore, scope: Scope, helpful: bool, satisfaction: float | None, expected: float
) -> None:
    new = memory()
    await store.add(scope, [new], None)
    judged = await store.judge(scope, new.id, feedback(helpful=helpful, satisfaction=satisfaction), None)
    assert judged.helpfulness_score == pytest.approx(expected)
    assert (judged.version, judged.memory_id) == (2, new.id)
    assert (await store.memory(scope, new.id)).helpfulness_score == pytest.approx(expected)


async def test_helpfulness_stays_between_zero_and_one(store: PostgresMemoryStore, scope: Scope) -> None:
    good, bad = memory("good"), memory("bad")
    await store.add(scope, [good, bad], None)
    scores = [(await store.judge(scope, good.id, feedback(helpful=True), None)).helpfulness_score for _ in range(7)]
    assert scores[-1] == 1.0
    scores = [(await store.judge(scope, bad.id, feedback(helpful=False), None)).helpfulness_score for _ in range(12)]
    assert scores[-1] == 0.0


async def test_a_relationship_of_the_same_pair_and_type_is_replaced(store: PostgresMemoryStore, scope: Scope) -> None:
    one, two = memory("one"), memory("two")
    await store.add(scope, [one, two], None)
    first = relationship(one.id, two.id, strength=0.2)
    written = await store.relate(scope, first, None)
    assert (written.version, written.relationship) == (2, first)
    again = await store.relate(scope, relationship(one.id, two.id, strength=0.9), None)
    assert (again.relationship.id, again.relationship.strength) == (first.id, 0.9)
    other = relationship(one.id, two.id, RelationshipType.FOLLOWS)
    await store.relate(scope, other, None)
    known = loaded_relationships(await store.load(scope, SPACE, None))
    assert {(one.id, one.type, one.strength) for one in known} == {
        (first.id, RelationshipType.RELATED_TO, 0.9),
        (other.id, RelationshipType.FOLLOWS, 0.5),
    }


async def test_relationships_are_loaded_as_they_were_stored_in_the_order_of_their_ids(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    memories = [memory(str(number)) for number in range(4)]
    await store.add(scope, memories, None)
    stored = [
        replace(relationship(memories[0].id, other.id, kind, 0.25), explanation=text, created_at=moment)
        for other, text, moment in zip(memories[1:], ("Tea.", "Bees.", "Tea."), (NOW, LATER, LONG_AGO), strict=True)
        for kind in reversed(RelationshipType)
    ]
    for one in reversed(stored):
        await store.relate(scope, one, None)
    loaded = loaded_relationships(await store.load(scope, SPACE, None))
    assert loaded == sorted(stored, key=lambda one: one.id)


async def test_a_relationship_can_be_removed(store: PostgresMemoryStore, scope: Scope) -> None:
    one, two = memory("one"), memory("two")
    await store.add(scope, [one, two], None)
    written = relationship(one.id, two.id)
    await store.relate(scope, written, None)
    removed = await store.unrelate(scope, written.id, None)
    assert (removed.version, removed.relationship) == (3, written)
    assert loaded_relationships(await store.load(scope, SPACE, None)) == []
    with pytest.raises(NotFoundError):
        await store.unrelate(scope, written.id, None)


async def test_ids_that_the_user_does_not_own_are_not_found_and_change_nothing(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    stranger = Scope(scope.organisation_id, "eve")
    mine, hers = memory("mine"), memory("hers")
    await store.add(scope, [mine], None)
    await store.add(stranger, [hers], None)
    before = await store.state(stranger)
    attempts = (
        store.memory(stranger, mine.id),
        store.history(stranger, mine.id),
        store.update(stranger, mine.id, MemoryChanges(source="stolen"), LATER, None),
        store.delete(stranger, mine.id, LATER, None),
        store.judge(stranger, mine.id, feedback(helpful=False), None),
        store.relate(stranger, relationship(hers.id, mine.id), None),
        store.unrelate(stranger, uuid4(), None),
    )
    for attempt in attempts:
        with pytest.raises(NotFoundError):
            await attempt
    assert await store.state(stranger) == before
    assert (await store.memory(scope, mine.id)).source == "api"
