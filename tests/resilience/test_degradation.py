from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronoia.resilience.degradation import Degradation, Level
from pronoia.resilience.saturation import TICK_SECONDS, Saturation
from pronoia.testing.clock import ManualClock


class Watched:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.changes: list[tuple[Level, Level]] = []
        self.degradation = Degradation(
            monotonic=self.clock.monotonic, changed=lambda before, after: self.changes.append((before, after))
        )

    def at(self, saturation: float, seconds: float = 0.0) -> Level:
        """Keep a saturation for a time."""
        self.degradation.observe(saturation)
        for _ in range(round(seconds / TICK_SECONDS)):
            self.clock.advance(TICK_SECONDS)
            self.degradation.observe(saturation)
        return self.degradation.level


@pytest.mark.parametrize(
    ("saturation", "level"),
    [(0.0, 0), (0.79, 0), (0.80, 1), (0.94, 1), (0.95, 2), (1.7, 2)],
)
def test_the_level_is_reached_at_once(saturation: float, level: int) -> None:
    assert Watched().at(saturation) == level


def test_it_comes_back_by_itself_after_a_while_of_calm_straight_to_where_it_belongs() -> None:
    watched = Watched()
    watched.at(1.0)
    assert watched.at(0.5, 2.9) is Level.CRITICAL
    assert watched.at(0.5, 0.2) is Level.NORMAL
    assert watched.changes == [(Level.NORMAL, Level.CRITICAL), (Level.CRITICAL, Level.NORMAL)]


def test_just_below_a_threshold_is_not_calm() -> None:
    watched = Watched()
    watched.at(0.81)
    assert watched.at(0.75, 60) is Level.HIGH
    assert watched.at(0.69, 3.1) is Level.NORMAL


def test_calm_that_is_interrupted_starts_again() -> None:
    watched = Watched()
    watched.at(0.81)
    watched.at(0.1, 2.9)
    watched.at(0.79)
    assert watched.at(0.1, 2.9) is Level.HIGH
    assert watched.at(0.1, 0.2) is Level.NORMAL


@given(st.lists(st.floats(0, 3), max_size=200))
def test_it_never_steps_down_sooner_than_three_seconds_after_it_was_needed(readings: list[float]) -> None:
    watched = Watched()
    needed_at = {Level.HIGH: -100.0, Level.CRITICAL: -100.0}
    for reading in readings:
        watched.clock.advance(TICK_SECONDS)
        now = watched.clock.monotonic()
        level = watched.at(reading)
        needed_at[Level.HIGH] = now if reading >= 0.8 else needed_at[Level.HIGH]
        needed_at[Level.CRITICAL] = now if reading >= 0.95 else needed_at[Level.CRITICAL]
        for one, since in needed_at.items():
            assert level >= one or now - since >= 3 - 1e-6


def test_the_fullest_resource_counts_and_a_single_stall_is_no_overload() -> None:
    reading = {"pool_wait": 0.2, "memory": 0.6}
    saturation = Saturation({name: lambda name=name: reading[name] for name in reading}, loop_lag_limit_seconds=0.1)
    for _ in range(100):
        saturation.observe(0.0)
    assert saturation.highest == pytest.approx(0.6, abs=0.001)
    saturation.observe(0.15)
    assert saturation.values()["loop_lag"] == pytest.approx(1.5 * 0.2212, abs=0.001)
    assert saturation.highest < 0.8


def test_lasting_overload_is_seen_within_a_second_and_forgotten_within_two() -> None:
    busy = {"concurrency": 50.0}
    saturation = Saturation({"concurrency": lambda: busy["concurrency"]}, loop_lag_limit_seconds=0.1)
    for _ in range(10):
        saturation.observe(0.0)
    assert saturation.highest > 0.95
    busy["concurrency"] = 0.0
    for _ in range(20):
        saturation.observe(0.0)
    assert saturation.highest < 0.2


def test_a_blocked_event_loop_is_measured() -> None:
    clock = ManualClock()
    saturation = Saturation({}, loop_lag_limit_seconds=0.1, monotonic=clock.monotonic)

    async def observe_twice() -> None:
        seen = asyncio.Queue[float]()
        watching = asyncio.create_task(saturation.run(lambda: seen.put_nowait(saturation.highest)))
        await asyncio.sleep(0)
        clock.advance(TICK_SECONDS + 0.2)  # the loop was held 0.2 s longer than asked for
        assert await seen.get() == pytest.approx(2 * 0.2592, abs=0.001)
        watching.cancel()

    asyncio.run(observe_twice())
