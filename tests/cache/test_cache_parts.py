from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from pronoia.resilience.cache import ExpiringStore, Rest, SingleFlight, is_due
from pronoia.resilience.deadline import deadline, time_left

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


@pytest.fixture
def flight() -> SingleFlight[str, int]:
    return SingleFlight(timeout_seconds=10)


class Computation:
    """Counts its runs, and ends when it is told to."""

    def __init__(self, ended: Callable[[], int]) -> None:
        self.runs = 0
        self.may_end = asyncio.Event()
        self._ended = ended

    async def __call__(self) -> int:
        self.runs += 1
        await self.may_end.wait()
        return self._ended()


async def test_a_hundred_callers_compute_once(flight: SingleFlight[str, int]) -> None:
    compute = Computation(lambda: 7)
    callers = [asyncio.create_task(flight.run("key", compute)) for _ in range(100)]
    await asyncio.sleep(0)
    compute.may_end.set()
    assert await asyncio.gather(*callers) == [7] * 100
    assert compute.runs == 1


async def test_a_leader_who_leaves_does_not_fail_those_who_wait(flight: SingleFlight[str, int]) -> None:
    compute = Computation(lambda: 7)
    leader = asyncio.create_task(flight.run("key", compute))
    await asyncio.sleep(0)
    follower = asyncio.create_task(flight.run("key", compute))
    await asyncio.sleep(0)
    leader.cancel()
    compute.may_end.set()
    assert await follower == 7
    assert compute.runs == 1
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_what_is_computed_for_all_is_not_bound_by_the_deadline_of_who_came_first(
    flight: SingleFlight[str, int],
) -> None:
    async def compute() -> int:
        return round(time_left(100))

    with deadline(1):
        assert await flight.run("key", compute) == 100


async def test_a_failure_is_told_to_all_and_not_remembered(flight: SingleFlight[str, int]) -> None:
    def fail() -> int:
        raise ValueError

    failing = Computation(fail)
    callers = [asyncio.create_task(flight.run("key", failing)) for _ in range(3)]
    await asyncio.sleep(0)
    failing.may_end.set()
    assert [type(one) for one in await asyncio.gather(*callers, return_exceptions=True)] == [ValueError] * 3
    working = Computation(lambda: 7)
    working.may_end.set()
    assert await flight.run("key", working) == 7


async def test_a_computation_that_never_ends_is_ended() -> None:
    with pytest.raises(TimeoutError):
        await SingleFlight[str, int](timeout_seconds=0.01).run("key", Computation(lambda: 7))


class Time:
    now = 0.0


def store(time: Time, keys: int = 100, size: int = 1_000) -> ExpiringStore[int, str]:
    return ExpiringStore(maximum_keys=keys, maximum_bytes=size, now=lambda: time.now)


def test_the_least_recently_used_makes_room() -> None:
    kept = store(Time(), keys=2)
    for key in (1, 2):
        kept.put(key, "value", size=10, expires_at=1)
    assert kept.get(1) == "value"
    kept.put(3, "value", size=10, expires_at=1)
    assert [kept.get(key) for key in (1, 2, 3)] == ["value", None, "value"]


def test_bounds_hold_whatever_is_done() -> None:
    seed = random.randrange(1 << 32)  # noqa: S311 - a test
    print(f"seed {seed}")  # noqa: T201 - to run it again
    draw = random.Random(seed)  # noqa: S311 - a test
    time = Time()
    kept = store(time, keys=30, size=1_000)
    sizes: dict[int, int] = {}
    for _ in range(5_000):
        key = draw.randrange(60)
        match draw.randrange(10):
            case 0:
                kept.drop_group(key % 5)
            case 1:
                time.now += draw.random()
                kept.drop_expired()
            case 2 | 3:
                kept.get(key)
            case _:
                sizes[key] = draw.randrange(1, 80)
                kept.put(key, "value", size=sizes[key], expires_at=time.now + draw.random(), group=key % 5)
        held = list(kept._kept)
        assert len(held) <= 30
        assert kept.nbytes == sum(sizes[one] for one in held) <= 1_000
        assert {one for members in kept._groups.values() for one in members} == set(held)


def test_a_value_is_renewed_early_the_likelier_the_nearer_its_end_and_the_dearer_it_was() -> None:
    draws = [number / 1_000 for number in range(1, 1_001)]

    def share(left: float, cost: float) -> float:
        return sum(is_due(100 - left, 100, cost, draw) for draw in draws) / len(draws)

    assert share(left=0, cost=1) == 1
    assert share(left=1, cost=1) == pytest.approx(0.368, abs=0.002)  # 1 / e
    assert share(left=2, cost=1) == share(left=4, cost=2) == pytest.approx(0.135, abs=0.002)
    assert share(left=300, cost=0.001) == 0


def test_what_failed_is_left_alone_for_its_time() -> None:
    time = Time()
    rest = Rest(seconds=5, now=lambda: time.now)
    assert rest.is_over
    rest.begin()
    time.now = 4.9
    assert not rest.is_over
    time.now = 5.0
    assert rest.is_over
