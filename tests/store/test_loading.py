from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_makers import NOW, SPACE, Held, erasure, feedback, ids_of, key, memory, relationship, unit, vectors_of

from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.driver import halfvec
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.loader import SLICE
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.errors import NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind, MemoryChanges, RelationshipType
from pronoia.ports.snapshots import UserState

if TYPE_CHECKING:
    from collections.abc import Callable

LATER = NOW + timedelta(days=1)


@pytest.mark.anyio
async def test_a_user_without_memories_loads_as_an_empty_complete_snapshot(
    store: PostgresMemoryStore, scope: Scope
) -> None:
    snapshot = await store.load(scope, SPACE, None)
    assert (snapshot.version, snapshot.activity, snapshot.complete) == (0, 0, True)
    assert Held().apply(snapshot) == Held()


@pytest.mark.anyio
async def test_columns_hold_every_field_in_the_order_of_ids(store: PostgresMemoryStore, scope: Scope) -> None:
    first = memory(
        "first",
        source="chat",
        project_id="p",
        tags=("a", "b"),
        metadata='{"k": [1, null]}',
        session_id="s",
        agent_id="g",
        speaker="Ada",
        occurred_at=LATER,
        terms=b"\x05\x00\x00\x00",
        vector=unit(0.6, -0.8),
    )
    second = memory("second", terms=b"", vector=unit(1, space="another space"))
    third = memory("first", vector=unit(0, 1))
    await store.add(scope, [third, first, second], None)
    columns = (await store.load(scope, SPACE, None)).memories
    assert ids_of(columns) == [first.id, second.id, third.id]
    assert columns.texts == ["first", "second", "first"]
    assert columns.embedded == [True, False, True]
    assert [vector[:2] for vector in vectors_of(columns)] == [[np.float16(0.6), np.float16(-0.8)], [0.0, 1.0]]
    assert (columns.terms, columns.term_counts) == (b"\x05\0\0\0" + third.terms, [1, 0, 2])
    assert (columns.sources, columns.project_ids) == (["chat", "api", "api"], ["p", "default", "default"])
    assert columns.tags == ['["a","b"]', "[]", "[]"]
    assert columns.metadata == ['{"k": [1, null]}', "{}", "{}"]
    assert (columns.session_ids, columns.agent_ids) == (["s", None, None], ["g", None, None])
    assert columns.speakers == ["Ada", None, None]
    assert columns.occurred_at == [LATER.timestamp(), None, None]
    assert columns.created_at == [one.created_at.timestamp() for one in (first, second, third)]
    assert columns.updated_at == columns.created_at
    assert columns.duplicate_of == [third.id, None, None]


def test_a_vector_crosses_the_wire_as_big_endian_halves() -> None:
    values = np.array([1.0, -0.5, 1e-5], "<f4").tobytes()
    assert halfvec(values) == b"\x00\x03\x00\x00" + np.array([1.0, -0.5, 1e-5], ">f2").tobytes()


@pytest.mark.anyio
async def test_more_memories_than_one_slice_arrive_whole_and_in_order(store: PostgresMemoryStore, scope: Scope) -> None:
    new = [memory(f"text {number}", vector=unit(1) if number % 3 else None) for number in range(2 * SLICE + 1)]
    await store.add(scope, new, None)
    columns = (await store.load(scope, SPACE, None)).memories
    assert ids_of(columns) == [one.id for one in new]
    assert columns.texts == [one.text for one in new]
    assert columns.embedded == [one.vector is not None for one in new]
    assert len(vectors_of(columns)) == sum(columns.embedded)


@pytest.mark.anyio
async def test_a_delta_holds_only_what_changed(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, scope: Scope
) -> None:
    kept, used, judged, changed, gone = (memory(text) for text in ("kept", "used", "judged", "changed", "gone"))
    await store.add(scope, [kept, used, judged, changed, gone], None)
    old, removed, lost = (relationship(kept.id, other.id) for other in (used, judged, gone))
    for one in (old, removed, lost):
        await store.relate(scope, one, None)
    await accesses.record([Access(scope, kept.id, AccessKind.GET, NOW)])
    since = await store.state(scope)
    await store.update(scope, changed.id, MemoryChanges(source="edit"), LATER, None)
    await store.delete(scope, gone.id, LATER, None)
    await store.judge(scope, judged.id, feedback(helpful=True), None)
    added = await store.relate(scope, relationship(used.id, kept.id, RelationshipType.FOLLOWS), None)
    await store.unrelate(scope, removed.id, None)
    await accesses.record([Access(scope, used.id, AccessKind.RECALL, LATER)])
    delta = await store.load(scope, SPACE, since)
    assert (delta.version, delta.activity, delta.complete) == (since.version + 5, 2, False)
    assert ids_of(delta.memories) == [changed.id]
    assert delta.memories.sources == ["edit"]
    assert delta.usage.ids == [used.id, judged.id]
    assert delta.usage.usage_count == [1, 0]
    assert delta.usage.last_accessed == [LATER.timestamp(), None]
    assert delta.usage.helpfulness == [0.5, 0.6]
    assert delta.relationships == [added.relationship]
    assert delta.removed_memories == [gone.id]
    assert set(delta.removed_relationships) == {removed.id, lost.id}


@pytest.mark.anyio
async def test_a_delta_since_now_is_empty(store: PostgresMemoryStore, scope: Scope) -> None:
    await store.add(scope, [memory()], None)
    delta = await store.load(scope, SPACE, await store.state(scope))
    assert not delta.complete
    assert Held().apply(delta) == Held()
    assert delta.removed_memories == delta.removed_relationships == []


@pytest.mark.anyio
@pytest.mark.parametrize("since", [UserState(9, 0, 0), UserState(1, 9, 0)])
async def test_whoever_is_ahead_of_a_restored_database_is_given_everything(
    store: PostgresMemoryStore, scope: Scope, since: UserState
) -> None:
    new = memory()
    await store.add(scope, [new], None)
    snapshot = await store.load(scope, SPACE, since)
    assert snapshot.complete
    assert ids_of(snapshot.memories) == [new.id]


class _User:
    """A user on whom steps drawn by hypothesis are taken, with memories and relationships chosen by number."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self.store = PostgresMemoryStore(database, resident_limit=1_000_000)
        self.accesses = PostgresAccessLog(database)
        self.scope = scope
        self.memories: list[UUID] = [uuid4()]
        self.relationships: list[UUID] = [uuid4()]

    async def take(self, step: tuple[str, int, int]) -> None:
        """Take a step; one that meets something already gone does nothing."""
        name, first, second = step
        one, other = self.memories[first % len(self.memories)], self.memories[second % len(self.memories)]
        link = relationship(one, other, list(RelationshipType)[second % 2])
        steps: dict[str, Callable[[], object]] = {
            "add": lambda: self._add(first),
            "update": lambda: self.store.update(
                self.scope, one, MemoryChanges(text=f"new {second}", terms=b""), LATER, None
            ),
            "delete": lambda: self.store.delete(self.scope, one, LATER, None),
            "judge": lambda: self.store.judge(self.scope, one, feedback(helpful=bool(second % 2)), None),
            "use": lambda: self.accesses.record([Access(self.scope, one, AccessKind.RECALL, LATER)]),
            "relate": lambda: self._relate(link),
            "unrelate": lambda: self.store.unrelate(
                self.scope, self.relationships[first % len(self.relationships)], None
            ),
            "forget": lambda: self.store.forget(self.scope, None, erasure()),
        }
        try:
            await steps[name]()
        except NotFoundError:
            return

    async def _add(self, number: int) -> None:
        new = memory(f"text {number}", vector=unit(1, number) if number % 2 else None)
        self.memories.append(new.id)
        await self.store.add(self.scope, [new], None)

    async def _relate(self, link: object) -> None:
        written = await self.store.relate(self.scope, link, None)
        self.relationships.append(written.relationship.id)


_steps = st.lists(
    st.tuples(
        st.sampled_from(["add"] * 4 + ["update", "delete", "judge", "use", "relate", "relate", "unrelate", "forget"]),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    max_size=12,
)


def test_deltas_lead_to_the_same_state_as_full_loads(database_url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.open(database_url, connections=2, timeout_seconds=10))

        async def follow(parts: list[list[tuple[str, int, int]]]) -> None:
            scope = Scope(uuid4(), "ada")
            await PostgresKeyStore(database).create(key(scope.organisation_id))
            user, follower = _User(database, scope), Held()
            since = UserState(0, 0, 0)
            for steps in parts:
                for step in steps:
                    await user.take(step)
                delta = await user.store.load(scope, SPACE, since)
                follower.apply(delta)
                since = UserState(delta.version, delta.activity, 0)
                assert vars(follower) == vars(Held().apply(await user.store.load(scope, SPACE, None)))

        @given(st.lists(_steps, min_size=1, max_size=4))
        @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        def check(parts: list[list[tuple[str, int, int]]]) -> None:
            runner.run(follow(parts))

        check()
        runner.run(database.close())
