from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronoia.resilience.admission import Gate, Importance
from pronoia.resilience.concurrency import AdaptiveLimit, LimitPolicy
from pronoia.testing.clock import ManualClock

POLICY = LimitPolicy(minimum=20, maximum=1000, initial=250)


class Load:
    """Feeds a limit with windows of requests that take a given time."""

    def __init__(self, policy: LimitPolicy = POLICY) -> None:
        self.clock = ManualClock()
        self.adaptive = AdaptiveLimit(policy, self.clock.monotonic)

    @property
    def limit(self) -> float:
        return self.adaptive.limit

    def window(self, seconds: float, *, kind: str = "search", in_flight: float = 1.0, count: int = 50) -> None:
        """Fill one window; `in_flight` is a share of the limit."""
        inside = round(self.limit * in_flight)
        for number in range(count):
            if number == count - 1:
                self.clock.advance(POLICY.window_seconds)
            self.adaptive.sample(kind, seconds, inside)

    def windows(self, times: int, seconds: float, **how: float) -> None:
        for _ in range(times):
            self.window(seconds, **how)


def test_a_queue_that_makes_requests_slow_brings_the_limit_down_to_where_it_is_gone() -> None:
    load = Load()
    load.windows(20, 0.01, in_flight=0.1)
    for _ in range(40):  # one worker that takes 5 ms: the time is the number in flight times that
        load.window(0.005 * load.limit)
    assert 18 <= load.limit * 0.005 / 0.1 * 20 <= 24  # about 100 ms, the acceptable time


def test_fast_answers_under_demand_let_it_grow_up_to_its_maximum() -> None:
    load = Load()
    load.windows(300, 0.01)
    assert load.limit == 1000


def test_without_demand_it_stays_where_it_is() -> None:
    load = Load()
    load.windows(50, 0.01, in_flight=0.2)
    assert load.limit == 250


def test_lasting_overload_lets_neither_the_limit_nor_the_baseline_creep_up() -> None:
    load = Load()
    load.windows(20, 0.08, in_flight=0.1)
    for _ in range(2000):  # a server that works on 100 side by side, and has always more than it can do
        load.window(max(0.08, 0.08 * load.limit / 100))
        assert load.limit <= 260
    assert 180 <= load.limit <= 220  # where the time is twice the baseline
    assert load.adaptive._baselines["search"] == pytest.approx(0.08)


def test_it_recovers_once_the_overload_is_over() -> None:
    load = Load()
    load.windows(20, 0.08, in_flight=0.1)
    load.windows(10, 2.0)
    assert load.limit == 20
    load.windows(20, 0.08)
    assert load.limit > 80


def test_work_that_became_slower_for_good_is_learned_at_the_smallest_limit() -> None:
    load = Load()
    load.windows(20, 0.05, in_flight=0.1)
    load.windows(200, 0.4)
    assert load.limit > 20


def test_a_change_of_what_is_asked_for_is_no_change_of_load() -> None:
    load = Load()
    for _ in range(40):
        load.window(0.01, in_flight=0.3)
        load.window(0.3, kind="maintenance", in_flight=0.3)
    before = load.limit
    load.windows(50, 0.3, kind="maintenance", in_flight=0.9)
    assert load.limit >= before


def test_few_requests_are_judged_together_once_there_are_enough() -> None:
    load = Load()
    for _ in range(4):
        load.window(5.0, count=3)
    assert load.limit == 187.5


def test_fewer_than_that_only_move_it_by_steps() -> None:
    load = Load()
    load.clock.advance(POLICY.longest_window_seconds)
    load.window(5.0, count=3)
    assert load.limit == 251


def test_a_request_that_did_not_end_in_time_cuts_it_by_a_tenth() -> None:
    load = Load()
    load.clock.advance(POLICY.window_seconds)
    load.adaptive.timed_out(250)
    assert load.limit == 225


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 3), st.booleans()), max_size=60))
def test_it_never_leaves_its_bounds(windows: list[tuple[float, float, bool]]) -> None:
    load = Load()
    for seconds, in_flight, timed_out in windows:
        if timed_out:
            load.adaptive.timed_out(10)
        load.window(seconds, in_flight=in_flight)
        assert 20 <= load.limit <= 1000


def test_the_less_important_are_refused_first_and_the_indispensable_never() -> None:
    gate = Gate(AdaptiveLimit(LimitPolicy(initial=20)))
    let_in: dict[Importance, int] = {}
    gates = []
    for inside in range(25):
        for importance in Importance:
            if gate.has_room_for(importance):
                let_in[importance] = inside + 1
        passing = gate.passing("search")
        passing.__enter__()
        gates.append(passing)
    assert let_in == {
        Importance.OPTIONAL: 16,
        Importance.REPORT: 17,
        Importance.NORMAL: 19,
        Importance.ESSENTIAL: 20,
        Importance.ALWAYS: 25,
    }
    for passing in gates:
        passing.__exit__(None, None, None)
    assert gate.in_flight == 0


def test_a_request_that_failed_teaches_the_limit_nothing() -> None:
    clock = ManualClock()
    adaptive = AdaptiveLimit(POLICY, clock.monotonic)
    gate = Gate(adaptive, clock.monotonic)
    with pytest.raises(ValueError, match="broken"), gate.passing("search"):
        raise ValueError("broken")
    with gate.passing("search") as measured:
        measured.told = False
    assert adaptive._kinds == {}
    with gate.passing("search"):
        clock.advance(0.25)
    assert adaptive._kinds["search"].seconds == 0.25
