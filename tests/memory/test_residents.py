"""A load that began before a write ended may miss it; whoever reads afterwards must not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from anyio import wait_all_tasks_blocked

from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.records import Memory, NewMemory, Vector
from pronoia.memory import snapshots
from pronoia.memory.analyzer import analyze
from pronoia.memory.residents import LOADS_AT_ONCE, Residents
from pronoia.ports.snapshots import UsageColumns, UserState
from pronoia.resilience.admission import Gate
from pronoia.resilience.concurrency import AdaptiveLimit
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from pronoia.ports.snapshots import Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
SCOPE = Scope(uuid4(), "ada")
pytestmark = pytest.mark.anyio


def written(version: int) -> Snapshot:
    """Give the change that the write to `version` made."""
    at = START + timedelta(minutes=version)
    vector = Vector("space", np.array([1, 0, 0], dtype="<f4").tobytes())
    text = f"text {version}"
    new = NewMemory(
        new_id(at), text, "api", "default", (), "{}", None, None, None, None, at, analyze(text), vector
    )  # fmt: skip
    stored = Memory(new.id, "ada", text, "api", "default", (), "{}", None, None, None, None, at, at)
    return snapshots.added(version, [new], [stored], "space")


class SlowStore:
    """Reads when it is asked, and answers when it is told to."""

    def __init__(self) -> None:
        self.changes: list[Snapshot] = []
        self.reading = asyncio.Event()
        self.answering = asyncio.Event()
        self.loads = 0

    def write(self) -> Snapshot:
        self.changes.append(written(len(self.changes) + 1))
        return self.changes[-1]

    async def state(self, _: Scope) -> UserState:
        return UserState(len(self.changes), 0, len(self.changes))

    async def load(self, _: Scope, _space: str, since: UserState | None) -> Snapshot:
        self.loads += 1
        seen = self.changes[0 if since is None else since.version :]
        self.reading.set()
        await self.answering.wait()
        assert len(seen) == 1, "these tests write one change before each load"
        return seen[0]


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def residents(store: SlowStore) -> Residents:
    return Residents(store, RecordingMeter(), space="space", dimensions=3, budget_bytes=1 << 20, resident_limit=100)


@pytest.mark.parametrize("held_before", [False, True])
async def test_a_write_that_ends_while_a_load_runs_is_read(
    store: SlowStore, residents: Residents, *, held_before: bool
) -> None:
    store.write()
    if held_before:
        store.answering.set()
        await residents.get(SCOPE)
        store.answering.clear()
        residents.heard(SCOPE.digest, store.write().version, 0)
    store.reading.clear()
    early = asyncio.create_task(residents.get(SCOPE))
    await store.reading.wait()
    last = store.write()
    residents.heard(SCOPE.digest, last.version, 0)
    late = asyncio.create_task(residents.get(SCOPE, last.version))
    asked = asyncio.create_task(residents.get(SCOPE))
    store.answering.set()
    for reader in (late, asked):
        held = await reader
        assert held is not None
        assert held.version == last.version
        assert held.size == len(store.changes)
    await early


async def test_a_write_that_ends_just_after_a_load_is_read(store: SlowStore, residents: Residents) -> None:
    store.write()
    early = asyncio.create_task(residents.get(SCOPE))
    await store.reading.wait()

    async def write_and_read() -> None:
        last = store.write()
        residents.heard(SCOPE.digest, last.version, 0)
        held = await residents.get(SCOPE)
        assert held is not None
        assert (held.version, held.size) == (last.version, 2)

    # Both in one turn of the loop: the load ends, and nobody has been told of it yet.
    store.answering.set()
    await asyncio.create_task(write_and_read())
    await early


async def test_what_was_heard_and_never_came_does_not_load_for_ever(store: SlowStore, residents: Residents) -> None:
    store.answering.set()
    store.write()
    await residents.get(SCOPE)
    store.write()
    residents.heard(SCOPE.digest, 99, 0)
    await residents.get(SCOPE)
    await residents.get(SCOPE)
    assert store.loads == 2


async def test_uses_that_are_written_while_a_load_runs_are_not_lost_by_it(
    store: SlowStore, residents: Residents
) -> None:
    store.write()
    store.answering.set()
    held = await residents.get(SCOPE)
    assert held is not None
    (memory_id,) = held.ids([0])
    store.answering.clear()
    store.reading.clear()
    # It read the counts before the use was written.
    store.changes.append(replace(written(2), usage=UsageColumns([memory_id], [0], [None], [0.9])))
    residents.heard(SCOPE.digest, 2, 0)
    residents.used(SCOPE, memory_id, START, counted=True)
    load = asyncio.create_task(residents.get(SCOPE))
    await store.reading.wait()
    # The one of writing the memory, and this.
    residents.flushed(SCOPE, 2, 2)
    store.answering.set()
    await load
    assert held.usage_count.tolist() == [1, 0]


async def test_few_users_are_read_side_by_side_and_all_in_the_end(store: SlowStore, residents: Residents) -> None:
    store.write()
    users = [Scope(uuid4(), f"user {number}") for number in range(2 * LOADS_AT_ONCE)]
    readers = [asyncio.create_task(residents.get(user)) for user in users]
    await wait_all_tasks_blocked()
    assert store.loads == LOADS_AT_ONCE
    store.answering.set()
    for reader in readers:
        held = await reader
        assert held is not None
        assert held.size == 1
    assert store.loads == len(users)


async def test_a_request_that_waits_for_a_load_teaches_the_limit_nothing(
    store: SlowStore, residents: Residents
) -> None:
    gate = Gate(AdaptiveLimit())
    store.write()
    store.answering.set()
    with gate.passing("search") as loading:
        await residents.get(SCOPE)
    with gate.passing("search") as held_already:
        await residents.get(SCOPE)
    assert (loading.told, held_already.told) == (False, True)


async def test_the_user_who_was_not_here_for_longest_goes_when_there_is_no_room(store: SlowStore) -> None:
    store.answering.set()
    store.write()
    alone = Residents(store, RecordingMeter(), space="space", dimensions=3, budget_bytes=1, resident_limit=100)
    await alone.get(SCOPE)
    one_user = alone.nbytes
    two_users = int(2.5 * one_user)
    residents = Residents(
        store, RecordingMeter(), space="space", dimensions=3, budget_bytes=two_users, resident_limit=100
    )
    scopes = [Scope(SCOPE.organisation_id, name) for name in ("ada", "bob", "cyd")]
    for scope in (scopes[0], scopes[1], scopes[0], scopes[2]):
        await residents.get(scope)
    assert [residents.peek(scope) is not None for scope in scopes] == [True, False, True]
    assert residents.nbytes == 2 * one_user


async def test_what_users_hold_is_known_after_each_change(store: SlowStore, residents: Residents) -> None:
    store.answering.set()
    store.write()
    held = await residents.get(SCOPE)
    assert held is not None
    for _ in range(40):
        residents.apply(SCOPE, store.write())
    assert residents.nbytes == held.nbytes
    residents.forget(SCOPE)
    assert residents.nbytes == 0
