from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pronoia.resilience.breaker import Breaker, BreakerPolicy, CircuitOpenError, Outcome, State
from pronoia.testing.clock import ManualClock

POLICY = BreakerPolicy(failures=5, successes=3, open_seconds=60, window_seconds=120, jitter=0.1)


class FaultError(Exception):
    pass


def judge(error: BaseException) -> Outcome:
    return Outcome.FAILURE if isinstance(error, FaultError) else Outcome.IGNORED


class Watched:
    """A breaker on a manual clock, and what it told."""

    def __init__(self, draw: float = 0.0) -> None:
        self.clock = ManualClock()
        self.states: list[State] = []
        self.failed = 0
        self.breaker = Breaker(
            "database",
            POLICY,
            monotonic=self.clock.monotonic,
            draw=lambda: draw,
            changed=lambda _, state: self.states.append(state),
            failed=self.count,
        )

    def count(self, name: str) -> None:
        assert name == "database"
        self.failed += 1

    def call(self, error: BaseException | None = None) -> None:
        try:
            with self.breaker.guard(judge):
                if error is not None:
                    raise error
        except (FaultError, ValueError):
            pass

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.call(FaultError())


def test_five_failures_in_a_row_open_it_and_then_nothing_is_asked() -> None:
    watched = Watched()
    watched.fail(4)
    assert (watched.breaker.state, watched.breaker.failures) == (State.CLOSED, 4)
    watched.fail()
    assert (watched.breaker.state, watched.states, watched.failed) == (State.OPEN, [State.OPEN], 5)
    with pytest.raises(CircuitOpenError) as refused, watched.breaker.guard(judge):
        pytest.fail("the dependency was asked")
    assert refused.value.retry_after == 60


def test_a_success_between_failures_starts_the_count_again() -> None:
    watched = Watched()
    watched.fail(4)
    watched.call()
    watched.fail(4)
    assert watched.breaker.state is State.CLOSED


def test_failures_older_than_the_window_do_not_count() -> None:
    watched = Watched()
    watched.fail(4)
    watched.clock.advance(120.5)
    watched.fail()
    assert (watched.breaker.state, watched.breaker.failures) == (State.CLOSED, 1)


def test_errors_that_are_not_the_dependencys_fault_never_open_it() -> None:
    watched = Watched()
    watched.fail(4)
    for _ in range(20):
        watched.call(ValueError())
    assert watched.breaker.state is State.CLOSED
    watched.fail()
    assert watched.breaker.state is State.OPEN


def test_after_its_time_three_successes_close_it() -> None:
    watched = Watched()
    watched.fail(5)
    watched.clock.advance(60)
    assert watched.breaker.state is State.HALF_OPEN
    watched.call()
    watched.call()
    assert watched.breaker.state is State.HALF_OPEN
    watched.call()
    assert (watched.breaker.state, watched.breaker.failures) == (State.CLOSED, 0)
    assert watched.states == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_one_failure_of_a_probe_opens_it_again_for_the_whole_time() -> None:
    watched = Watched()
    watched.fail(5)
    watched.clock.advance(60)
    watched.call()
    watched.fail()
    watched.clock.advance(59)
    assert watched.breaker.state is State.OPEN
    watched.clock.advance(1)
    assert watched.breaker.state is State.HALF_OPEN


def test_chance_keeps_it_open_a_little_longer() -> None:
    watched = Watched(draw=0.5)
    watched.fail(5)
    watched.clock.advance(62.9)
    assert watched.breaker.state is State.OPEN
    watched.clock.advance(0.2)
    assert watched.breaker.state is State.HALF_OPEN


def test_probes_go_one_at_a_time_and_a_cancelled_one_makes_room() -> None:
    watched = Watched()
    watched.fail(5)
    watched.clock.advance(60)
    with pytest.raises(ValueError, match="given up"), watched.breaker.guard(judge):  # noqa: PT012 - what is left early is left by it
        with pytest.raises(CircuitOpenError), watched.breaker.guard(judge):
            pytest.fail("two probes at once")
        raise ValueError("given up")
    watched.call()
    assert watched.breaker.state is State.HALF_OPEN


def test_a_call_that_began_before_it_opened_says_nothing_about_the_time_after() -> None:
    watched = Watched()
    with pytest.raises(FaultError), watched.breaker.guard(judge):  # noqa: PT012 - what is left early is left by it
        watched.fail(5)
        watched.clock.advance(60)
        assert watched.breaker.state is State.HALF_OPEN
        raise FaultError
    assert watched.breaker.state is State.HALF_OPEN


class BreakerMachine(RuleBasedStateMachine):
    """Any order of successes, failures, cancelled calls and waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched()
        self.row = 0
        self.opened_at: float | None = None

    @property
    def state(self) -> State:
        return self.watched.breaker.state

    @rule(outcome=st.sampled_from([None, FaultError, ValueError]))
    def call(self, outcome: type[Exception] | None) -> None:
        before = self.state
        asked = False
        try:
            with self.watched.breaker.guard(judge):
                asked = True
                if outcome is not None:
                    raise outcome
        except (FaultError, ValueError, CircuitOpenError):
            pass
        assert asked == (before is not State.OPEN)
        if self.state is State.OPEN and before is not State.OPEN:
            assert outcome is FaultError
            self.opened_at = self.watched.clock.monotonic()

    @rule(seconds=st.floats(0, 200))
    def wait(self, seconds: float) -> None:
        self.watched.clock.advance(seconds)

    @precondition(lambda self: self.state is not State.CLOSED)
    @rule()
    def the_dependency_recovers(self) -> None:
        """From every state, the open time and three successes lead back."""
        self.watched.clock.advance(66)
        for _ in range(3):
            self.watched.call()
        assert self.state is State.CLOSED

    @invariant()
    def it_is_open_for_its_time_and_no_longer(self) -> None:
        if self.opened_at is not None and self.state is State.OPEN:
            assert self.watched.clock.monotonic() - self.opened_at < 60

    @invariant()
    def it_counts_no_more_failures_than_it_needs(self) -> None:
        assert 0 <= self.watched.breaker.failures <= 5


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_first_rest_is_short_and_each_failed_probe_doubles_it_up_to_the_longest() -> None:
    clock = ManualClock()
    policy = BreakerPolicy(failures=1, successes=1, first_open_seconds=1, open_seconds=5, jitter=0)
    breaker = Breaker("database", policy, monotonic=clock.monotonic)

    def fail() -> float:
        with pytest.raises(FaultError), breaker.guard(judge):
            raise FaultError
        with pytest.raises(CircuitOpenError) as refused, breaker.guard(judge):
            pass
        clock.advance(refused.value.retry_after)
        return refused.value.retry_after

    assert [round(fail(), 6) for _ in range(5)] == [1, 2, 4, 5, 5]
    with breaker.guard(judge):
        pass
    assert breaker.state is State.CLOSED
    assert round(fail(), 6) == 1
