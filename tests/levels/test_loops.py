"""What runs beside the requests goes on after a failure, and says that it failed."""

from __future__ import annotations

import asyncio

import pytest

from pronoia.services.monitoring.loops import LONGEST_REST_SECONDS, Loops
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter, series


class Work:
    """Fails a number of times, then goes on for ever."""

    def __init__(self, failures: int) -> None:
        self._left = failures
        self.runs = asyncio.Event()

    async def run(self) -> None:
        if self._left:
            self._left -= 1
            raise IndexError
        self.runs.set()
        await asyncio.Event().wait()


@pytest.mark.anyio
async def test_a_loop_that_fails_is_begun_again_after_longer_and_longer_rests():
    clock, meter, rests = ManualClock(), RecordingMeter(), list[float]()

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        clock.advance(seconds)

    loops, work = Loops(clock=clock, meter=meter, rest=rest), Work(failures=8)
    loops.start([work.run])
    await asyncio.wait_for(work.runs.wait(), 10)
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]
    assert meter.counts[series("background_loop_failures_total", loop="Work.run")] == 8
    assert loops.failing() == ["Work.run"]
    clock.advance(LONGEST_REST_SECONDS)
    assert loops.failing() == []
    assert loops.names() == ["Work.run"]
    await loops.stop()


@pytest.mark.anyio
async def test_a_failure_after_a_long_while_is_a_first_one_again():
    clock, rests, ends = ManualClock(), list[float](), asyncio.Event()

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            ends.set()
            await asyncio.Event().wait()

    async def fail_after_a_while() -> None:
        clock.advance(LONGEST_REST_SECONDS + 1 if len(rests) == 2 else 1)
        raise ValueError

    loops = Loops(clock=clock, meter=RecordingMeter(), rest=rest)
    loops.start([fail_after_a_while])
    await asyncio.wait_for(ends.wait(), 10)
    assert rests == [1, 2, 1]
    await loops.stop()
