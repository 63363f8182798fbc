from __future__ import annotations

import asyncio
from contextlib import suppress

from pronoia.resilience.deadline import deadline, is_out_of_time, time_left, without_deadline
from pronoia.testing.clock import ManualClock


def test_a_wait_gets_its_own_limit_or_what_is_left_of_the_request() -> None:
    clock = ManualClock()
    assert time_left(10, clock.monotonic) == 10
    with deadline(5, clock.monotonic):
        assert time_left(10, clock.monotonic) == 5
        assert time_left(2, clock.monotonic) == 2
        clock.advance(4)
        assert time_left(10, clock.monotonic) == 1
        clock.advance(4)
        assert time_left(10, clock.monotonic) == 0
    assert time_left(10, clock.monotonic) == 10


def test_an_inner_deadline_may_shorten_the_outer_one_and_never_lengthen_it() -> None:
    clock = ManualClock()
    with deadline(5, clock.monotonic):
        with deadline(60, clock.monotonic):
            assert time_left(100, clock.monotonic) == 5
        with suppress(ValueError), deadline(1, clock.monotonic):
            assert time_left(100, clock.monotonic) == 1
            raise ValueError
        assert time_left(100, clock.monotonic) == 5


def test_shared_work_is_not_bound_by_the_deadline_of_who_began_it() -> None:
    clock = ManualClock()
    with deadline(5, clock.monotonic):
        assert without_deadline().run(time_left, 10, clock.monotonic) == 10
        assert time_left(10, clock.monotonic) == 5


def test_a_cancelled_wait_is_out_of_time_only_if_the_deadline_has_passed() -> None:
    assert is_out_of_time(TimeoutError())
    with deadline(60):
        assert not is_out_of_time(asyncio.CancelledError())
    with deadline(0):
        assert is_out_of_time(asyncio.CancelledError())
        assert not is_out_of_time(ValueError())
