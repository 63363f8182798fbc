from __future__ import annotations

import asyncio
import random

import pytest

from pronoia.resilience.bulkhead import Bulkhead, BulkheadFullError
from pronoia.resilience.deadline import deadline
from pronoia.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


def bulkhead(**changes: float) -> Bulkhead:
    return Bulkhead("database", **{"concurrent": 3, "queue": 2, "longest_wait_seconds": 10, **changes})


class Users:
    """Hold places until they are told to leave."""

    def __init__(self, used: Bulkhead) -> None:
        self.used = used
        self.order: list[str] = []
        self._leave = asyncio.Event()

    async def use(self, name: str, *, reserved: bool = False) -> None:
        async with self.used.place(reserved=reserved):
            self.order.append(name)
            await self._leave.wait()

    async def come(self, *names: str, reserved: bool = False) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.use(name, reserved=reserved)) for name in names]
        await asyncio.sleep(0)
        return tasks

    async def all_leave(self, tasks: list[asyncio.Task[None]]) -> None:
        self._leave.set()
        await asyncio.gather(*tasks)


async def test_no_more_than_its_places_are_used_and_the_queue_is_bounded_too() -> None:
    rejected: list[str] = []
    used = Bulkhead("database", concurrent=3, queue=2, longest_wait_seconds=10, rejected=rejected.append)
    users = Users(used)
    tasks = await users.come("a", "b", "c", "d", "e")
    assert (used.in_use, used.queued, users.order) == (3, 2, ["a", "b", "c"])
    with pytest.raises(BulkheadFullError):
        await users.use("f")
    assert rejected == ["database"]
    await users.all_leave(tasks)
    assert users.order == ["a", "b", "c", "d", "e"]
    assert (used.in_use, used.queued) == (0, 0)


async def test_reserved_places_are_there_for_those_who_may_when_all_others_are_taken() -> None:
    used = bulkhead(reserved=1)
    users = Users(used)
    tasks = await users.come("a", "b", "c")
    assert (used.in_use, used.queued) == (2, 1)
    tasks += await users.come("health", reserved=True)
    assert users.order == ["a", "b", "health"]
    await users.all_leave(tasks)


async def test_who_may_use_reserved_places_is_served_before_the_queue() -> None:
    used = bulkhead(concurrent=2, reserved=1)
    users = Users(used)
    first = await users.come("a")
    tasks = await users.come("health", "more health", reserved=True)
    tasks += await users.come("b")
    assert used.queued == 2
    await users.all_leave([*first, *tasks])
    assert users.order == ["a", "health", "more health", "b"]


async def test_the_wait_ends_by_its_limit_and_by_the_deadline_of_the_request() -> None:
    for limit, seconds in ((0.01, 60), (60, 0.01)):
        used = bulkhead(concurrent=1, longest_wait_seconds=limit)
        users = Users(used)
        tasks = await users.come("a")
        with pytest.raises(BulkheadFullError), deadline(seconds):
            await users.use("b")
        assert used.queued == 0
        await users.all_leave(tasks)


async def test_who_gives_up_waiting_leaves_the_queue_and_passes_a_turn_on() -> None:
    used = bulkhead(concurrent=1)
    users = Users(used)
    (holder,) = await users.come("a")
    impatient, patient = await users.come("b", "c")
    holder.cancel()
    await asyncio.sleep(0)  # the turn is b's, who has not woken yet
    impatient.cancel()
    await asyncio.gather(holder, impatient, return_exceptions=True)
    await users.all_leave([patient])
    assert users.order == ["a", "c"]
    assert (used.in_use, used.queued) == (0, 0)


async def test_the_wait_at_the_head_of_the_queue_is_told() -> None:
    clock = ManualClock()
    used = Bulkhead("database", concurrent=1, queue=2, longest_wait_seconds=10, monotonic=clock.monotonic)
    users = Users(used)
    tasks = await users.come("a", "b")
    clock.advance(1.5)
    assert used.waited_seconds() == 1.5
    await users.all_leave(tasks)
    assert used.waited_seconds() == 0


async def test_no_place_is_ever_lost_whoever_comes_leaves_or_gives_up() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - a schedule
    used = bulkhead(reserved=1, longest_wait_seconds=0.002)
    busiest = 0

    async def come() -> None:
        nonlocal busiest
        async with used.place(reserved=chance.random() < 0.2):
            busiest = max(busiest, used.in_use)
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    for _ in range(2000):
        tasks.append(asyncio.create_task(come()))
        if chance.random() < 0.3:
            chance.choice(tasks[-20:]).cancel()
        if chance.random() < 0.7:
            await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError, BulkheadFullError}
    assert (used.in_use, used.queued, busiest) == (0, 0, 3)


def test_a_bulkhead_without_a_place_for_everybody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one place"):
        bulkhead(concurrent=1, reserved=1)
