"""A circuit breaker: stops asking a dependency that is down, and finds out by itself when it is back.

After M. Nygard, "Release It!", 2007. No library that does it for asyncio is maintained.
"""

from __future__ import annotations

import random
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class State(IntEnum):
    """The numbers are those that the state is exported as."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Outcome(Enum):
    """What a call says about the dependency. IGNORED says nothing, as when the caller gave up."""

    SUCCESS = auto()
    FAILURE = auto()
    IGNORED = auto()


class CircuitOpenError(Exception):
    """The dependency was not asked. `retry_after` is when it may be, in seconds."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"{name} is not asked now, because it failed repeatedly.")
        self.name = name
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens and closes."""

    failures: int = 5
    """Failures in a row, none older than the window, that open it."""
    successes: int = 3
    """Probes in a row that close it."""
    open_seconds: float = 60.0
    """How long it stays open before it probes, at most."""
    first_open_seconds: float | None = None
    """How long the first time, and twice as long after each probe that failed; None is the longest at once.

    A crash that is over in a moment must not cost the whole time.
    """
    window_seconds: float = 120.0
    probes: int = 1
    """Calls at a time while it is half-open."""
    jitter: float = 0.1
    """Share of that time that chance adds, so that many processes do not return at once."""


class Breaker:
    """Guards the calls to one dependency.

    Only what the dependency did wrong may count: the caller judges each error. A call that began before the last
    change of state says nothing about the state after it, and is not counted.
    """

    def __init__(
        self,
        name: str,
        policy: BreakerPolicy,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        changed: Callable[[str, State], None] | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self._policy = policy
        self._monotonic = monotonic
        self._draw = draw
        self._changed = changed
        self._failed = failed
        self._state = State.CLOSED
        self._generation = 0
        self._failed_at: deque[float] = deque(maxlen=policy.failures)
        self._opens_until = 0.0
        self._open_seconds = self._first_open_seconds
        self._probing = 0
        self._successes = 0

    @property
    def state(self) -> State:
        if self._state is State.OPEN and self._monotonic() >= self._opens_until:
            self._become(State.HALF_OPEN)
        return self._state

    @property
    def _first_open_seconds(self) -> float:
        first = self._policy.first_open_seconds
        return self._policy.open_seconds if first is None else min(first, self._policy.open_seconds)

    @property
    def failures(self) -> int:
        """Failures in a row, as far as the policy counts them."""
        return len(self._failed_at)

    @contextmanager
    def guard(self, judge: Callable[[BaseException], Outcome]) -> Generator[None]:
        """Call the dependency inside. Raises CircuitOpenError instead while it is not to be asked."""
        generation = self._admit()
        outcome = Outcome.SUCCESS
        try:
            yield
        except BaseException as error:
            outcome = judge(error)
            raise
        finally:
            if generation == self._generation:
                self._record(outcome)

    def _admit(self) -> int:
        if self._state is not State.CLOSED:
            if self.state is State.OPEN:
                raise CircuitOpenError(self.name, self._opens_until - self._monotonic())
            if self._probing >= self._policy.probes:
                raise CircuitOpenError(self.name, 1.0)
            self._probing += 1
        return self._generation

    def _record(self, outcome: Outcome) -> None:
        if self._state is State.HALF_OPEN:
            self._probing -= 1
        match outcome:
            case Outcome.SUCCESS:
                self._succeed()
            case Outcome.FAILURE:
                self._fail()
            case Outcome.IGNORED:
                pass

    def _succeed(self) -> None:
        if self._state is State.CLOSED:
            self._failed_at.clear()
            return
        self._successes += 1
        if self._successes >= self._policy.successes:
            self._failed_at.clear()
            self._open_seconds = self._first_open_seconds
            self._become(State.CLOSED)

    def _fail(self) -> None:
        now = self._monotonic()
        self._failed_at.append(now)
        while self._failed_at[0] < now - self._policy.window_seconds:
            self._failed_at.popleft()
        if self._failed is not None:
            self._failed(self.name)
        if self._state is State.HALF_OPEN or len(self._failed_at) >= self._policy.failures:
            self._opens_until = now + self._open_seconds * (1 + self._policy.jitter * self._draw())
            self._open_seconds = min(2 * self._open_seconds, self._policy.open_seconds)
            self._become(State.OPEN)

    def _become(self, state: State) -> None:
        self._state = state
        self._generation += 1
        self._probing = self._successes = 0
        if self._changed is not None:
            self._changed(self.name, state)
