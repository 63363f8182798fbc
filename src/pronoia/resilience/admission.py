"""Lets requests in by their importance while there is room, and measures those that are let in."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from pronoia.resilience.concurrency import AdaptiveLimit


class Importance(IntEnum):
    """Who goes first when not all can be served, the last first."""

    OPTIONAL = 0
    REPORT = 1
    NORMAL = 2
    ESSENTIAL = 3
    ALWAYS = 4
    """Never shed, and not measured: what looks after the server must not wait for what overloads it."""


SHARES: Mapping[Importance, float] = {
    Importance.OPTIONAL: 0.80,
    Importance.REPORT: 0.85,
    Importance.NORMAL: 0.95,
    Importance.ESSENTIAL: 1.0,
}
"""The share of the limit that each may fill, all others counted in."""


class Measured:
    """How a request went; whoever serves it may say that it tells nothing, or that it ran out of time."""

    __slots__ = ("timed_out", "told")

    def __init__(self) -> None:
        self.told = True
        self.timed_out = False


_passing: ContextVar[Measured | None] = ContextVar("passing", default=None)


def tells_nothing() -> None:
    """Say that how long the request under way takes is no sign of load: it waits for what is read once."""
    measured = _passing.get()
    if measured is not None:
        measured.told = False


class Gate:
    """Counts the requests inside, against the adaptive limit."""

    def __init__(self, limit: AdaptiveLimit, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self.in_flight = 0

    @property
    def limit(self) -> float:
        return self._limit.limit

    @property
    def is_crowded(self) -> bool:
        """Say whether half of the room is taken: then it is worth a look who still waits."""
        return self.in_flight >= self._limit.limit / 2

    def has_room_for(self, importance: Importance) -> bool:
        """Say whether a request of this importance may come in."""
        return importance is Importance.ALWAYS or self.in_flight < self._limit.limit * SHARES[importance]

    @contextmanager
    def passing(self, kind: str) -> Generator[Measured]:
        """Be inside. `kind` names requests that cost alike."""
        measured = Measured()
        token = _passing.set(measured)
        self.in_flight += 1
        started = self._monotonic()
        try:
            yield measured
        except BaseException:
            measured.told = False
            raise
        finally:
            if measured.timed_out:
                self._limit.timed_out(self.in_flight)
            elif measured.told:
                self._limit.sample(kind, self._monotonic() - started, self.in_flight)
            self.in_flight -= 1
            _passing.reset(token)
