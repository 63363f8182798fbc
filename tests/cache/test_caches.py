"""Tiers behind one another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from cache_makers import Breakable

from pronoia.adapters.cache.local import LocalTier
from pronoia.domain.errors import NotFoundError
from pronoia.domain.identifiers import Scope
from pronoia.services.caches import REST_SECONDS, TIER_SECONDS, Caches, Kind, Made
from pronoia.testing.meter import RecordingMeter, series

if TYPE_CHECKING:
    from pronoia.testing.clock import ManualClock

pytestmark = pytest.mark.anyio
THREE, ONE = Kind("three", tiers=3), Kind("one", tiers=1)
OWNER = Scope(uuid4(), "ada")
NEVER_EARLY = 0.0
"""A draw by which nothing is renewed before it expires."""


class Maker:
    """Makes values, and counts them."""

    def __init__(self, clock: ManualClock, seconds: float = 0.0) -> None:
        self.runs = 0
        self.fails = False
        self.keep = True
        self._clock = clock
        self._seconds = seconds

    async def __call__(self) -> Made:
        self.runs += 1
        self._clock.advance(self._seconds)
        if self.fails:
            raise NotFoundError("no")
        return Made(b"%d" % self.runs, keep=self.keep)


@pytest.fixture
def tiers(clock: ManualClock) -> list[Breakable]:
    return [
        Breakable(LocalTier(name=name, lifetime_seconds=lifetime, maximum_keys=100, maximum_bytes=1 << 20, clock=clock))
        for name, lifetime in (("1", 300.0), ("2", 600.0), ("3", 3_600.0))
    ]


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


@pytest.fixture
def caches(tiers: list[Breakable], clock: ManualClock, meter: RecordingMeter) -> Caches:
    return Caches(tiers=tiers, clock=clock, meter=meter, draw=lambda: NEVER_EARLY)


async def test_a_value_is_made_once_and_then_found_in_the_nearest_tier_that_has_it(
    caches: Caches, tiers: list[Breakable], clock: ManualClock
) -> None:
    make = Maker(clock)

    async def fetch() -> bytes:
        value = await caches.fetch(THREE, OWNER, b"key", make)
        await caches.settled()
        return value

    found_in = []
    for seconds in (0, 0, 300, 0, 301, 3_000):
        clock.advance(seconds)
        before = [tier.calls for tier in tiers]
        assert await fetch() == b"%d" % make.runs
        found_in.append([tier.calls - count for tier, count in zip(tiers, before, strict=True)])
    assert make.runs == 2
    asked_and_kept, asked, unasked = 2, 1, 0
    assert found_in == [
        [asked_and_kept, asked_and_kept, asked_and_kept],
        [asked, unasked, unasked],
        [asked_and_kept, asked, unasked],
        [asked, unasked, unasked],
        [asked_and_kept, asked_and_kept, asked],
        [asked_and_kept, asked_and_kept, asked_and_kept],
    ]


async def test_a_kind_of_one_tier_never_asks_the_others(
    caches: Caches, tiers: list[Breakable], clock: ManualClock
) -> None:
    await caches.fetch(ONE, OWNER, b"key", Maker(clock))
    await caches.settled()
    assert [tier.calls for tier in tiers[1:]] == [0, 0]


async def test_a_hundred_callers_make_a_value_once(caches: Caches, clock: ManualClock) -> None:
    make = Maker(clock)
    assert await asyncio.gather(*(caches.fetch(THREE, OWNER, b"key", make) for _ in range(100))) == [b"1"] * 100
    assert make.runs == 1


async def test_what_fails_to_be_made_is_kept_nowhere(caches: Caches, clock: ManualClock) -> None:
    make = Maker(clock)
    make.fails = True
    for runs in (1, 2):
        with pytest.raises(NotFoundError):
            await caches.fetch(THREE, OWNER, b"key", make)
        assert make.runs == runs
    make.fails = False
    assert await caches.fetch(THREE, OWNER, b"key", make) == b"3"


async def test_what_is_not_to_be_kept_is_made_again(caches: Caches, clock: ManualClock) -> None:
    make = Maker(clock)
    make.keep = False
    assert [await caches.fetch(THREE, OWNER, b"key", make) for _ in range(2)] == [b"1", b"2"]


@pytest.mark.parametrize("broken", [0, 1, 2])
async def test_a_tier_that_fails_is_passed_over_then_left_alone_and_then_heals(
    caches: Caches, tiers: list[Breakable], clock: ManualClock, meter: RecordingMeter, broken: int
) -> None:
    tiers[broken].broken = True
    make = Maker(clock)
    for number in range(5):
        assert await caches.fetch(THREE, OWNER, b"%d" % number, make) == b"%d" % make.runs
        await caches.settled()
    assert make.runs == 5
    assert tiers[broken].calls == 1
    assert meter.counts[series("cache_failures_total", tier=tiers[broken].name)] == 1
    tiers[broken].broken = False
    clock.advance(REST_SECONDS)
    await caches.fetch(THREE, OWNER, b"new", make)
    await caches.settled()
    assert (await tiers[broken]._tier.get(OWNER, b"new")) is not None


async def test_a_tier_that_hangs_costs_its_limit_once(
    caches: Caches, tiers: list[Breakable], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def hang(*_: object) -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(tiers[1], "get", hang)
    make = Maker(clock)
    async with asyncio.timeout(8 * TIER_SECONDS):
        for number in range(20):
            await caches.fetch(THREE, OWNER, b"%d" % number, make)
    assert asked == 1


async def test_a_value_about_to_expire_is_renewed_before_anyone_waits_for_it(
    tiers: list[Breakable], clock: ManualClock, meter: RecordingMeter
) -> None:
    caches = Caches(tiers=tiers, clock=clock, meter=meter, draw=lambda: 0.5)
    make = Maker(clock, seconds=10)
    assert await caches.fetch(ONE, OWNER, b"key", make) == b"1"
    clock.advance(292)
    assert await caches.fetch(ONE, OWNER, b"key", make) == b"1"
    assert make.runs == 1
    clock.advance(2)  # 6 seconds are left, and 10 x ln 2 = 6.9
    assert await caches.fetch(ONE, OWNER, b"key", make) == b"1"
    await caches.settled()
    assert make.runs == 2
    assert meter.counts[series("cache_refreshes_total", tier="1")] == 1
    clock.advance(200)
    assert await caches.fetch(ONE, OWNER, b"key", make) == b"2"


async def test_hit_rates_are_of_what_reaches_each_tier(
    caches: Caches, clock: ManualClock, meter: RecordingMeter
) -> None:
    make = Maker(clock)
    assert caches.hit_rates() == {"1": None, "2": None, "3": None, "combined": None}
    for _ in range(4):
        await caches.fetch(THREE, OWNER, b"key", make)
        await caches.settled()
    clock.advance(300)
    await caches.fetch(THREE, OWNER, b"key", make)
    await caches.fetch(ONE, OWNER, b"another", make)
    assert caches.hit_rates() == {"1": 0.5, "2": 0.5, "3": 0.0, "combined": 4 / 6}
    assert caches.hit_rates(ONE)["combined"] == 0
    hits = [meter.counts[series("cache_hits_total", tier=name)] for name in "123"]
    misses = [meter.counts[series("cache_misses_total", tier=name)] for name in "123"]
    assert (hits, misses) == ([3, 1, 0], [3, 1, 1])


async def test_cleaning_measures_each_tier_when_its_turn_comes(
    caches: Caches, clock: ManualClock, meter: RecordingMeter
) -> None:
    await caches.fetch(THREE, OWNER, b"key", Maker(clock))
    await caches.settled()
    await caches.clean()
    assert meter.gauges == {}
    clock.advance(60)
    await caches.clean()
    assert [meter.gauges[series("cache_size", tier=name)] for name in "123"] == [1, 1, 1]
    assert all(meter.gauges[series("cache_bytes", tier=name)] > 3 for name in "123")


async def test_what_is_on_its_way_to_a_tier_is_forgotten_too(
    caches: Caches, tiers: list[Breakable], clock: ManualClock
) -> None:
    await caches.fetch(THREE, OWNER, b"key", Maker(clock))
    await caches.forget(OWNER)
    assert [await tier.get(OWNER, b"key") for tier in tiers] == [None, None, None]


async def test_without_tiers_everything_is_made(clock: ManualClock, meter: RecordingMeter) -> None:
    caches = Caches(tiers=[], clock=clock, meter=meter, draw=lambda: NEVER_EARLY)
    make = Maker(clock)
    assert [await caches.fetch(THREE, OWNER, b"key", make) for _ in range(2)] == [b"1", b"2"]
    assert caches.hit_rates() == {"combined": None}
