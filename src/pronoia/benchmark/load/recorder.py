"""What became of the requests: latencies by verb, and second by second."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from statistics import quantiles
from typing import TYPE_CHECKING, Protocol, cast

from hdrh.histogram import HdrHistogram

from pronoia.benchmark.load.mix import Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_MICROSECONDS = 120_000_000
SIGNIFICANT_DIGITS = 3
BROKEN = "connection broken"
DEGRADED = "degraded"
"""Answered with success and nothing in it, as a server may that has too much to do."""
TIMED_OUT = "timed out"
UNSENT = "not sent"
"""No connection was free as long as the client was willing to wait."""


class Latencies:
    """A histogram of bounded size that keeps every percentile to three digits."""

    def __init__(self) -> None:
        self._histogram = cast("_Histogram", HdrHistogram(1, LONGEST_MICROSECONDS, SIGNIFICANT_DIGITS))

    def add(self, seconds: float) -> None:
        """Take one in."""
        self._histogram.record_value(min(max(1, int(seconds * 1e6)), LONGEST_MICROSECONDS))

    def milliseconds(self, percentile: float) -> float:
        """Give a percentile from 0 to 100; 0 of nothing."""
        return self._histogram.get_value_at_percentile(percentile) / 1e3

    @property
    def count(self) -> int:
        return self._histogram.get_total_count()


class _Histogram(Protocol):
    """The part of the untyped library that is used; values are microseconds."""

    def record_value(self, value: int) -> bool: ...

    def get_value_at_percentile(self, percentile: float) -> int: ...

    def get_total_count(self) -> int: ...


@dataclass(slots=True)
class Second:
    """Requests that were due in one second of the run, and the server's memory in it."""

    due: int = 0
    answered: int = 0
    failed: int = 0
    retried: int = 0
    latencies: list[float] = field(default_factory=list[float])
    """In milliseconds, of the answered."""
    resident_bytes: int = 0
    """0 where it is not known."""

    @property
    def p95(self) -> float:
        """Milliseconds; 0 when nothing was answered."""
        return quantiles(self.latencies, n=20)[-1] if len(self.latencies) > 1 else sum(self.latencies)


class Recorder:
    """Counts from the intended start of each request: what the server makes a client wait for counts against it."""

    def __init__(self) -> None:
        self.by_verb: Mapping[Verb, Latencies] = {verb: Latencies() for verb in Verb}
        self.overall = Latencies()
        self.lateness = Latencies()
        """How late the generator itself was."""
        self.failures: dict[Verb, Counter[str]] = {verb: Counter() for verb in Verb}
        self.seconds: list[Second] = []

    def second(self, offset: float) -> Second:
        """Give the second that something falls in."""
        while len(self.seconds) <= offset:
            self.seconds.append(Second())
        return self.seconds[int(offset)]

    def due(self, offset: float, lateness: float) -> None:
        """Note that a request was due, and by how many seconds it was late to be handed on."""
        self.second(offset).due += 1
        self.lateness.add(lateness)

    def retried(self, offset: float) -> None:
        """Note that a failed request is sent again."""
        self.second(offset).retried += 1

    def answered(self, verb: Verb, offset: float, latency: float) -> None:
        """Note a success, with the seconds since its intended start."""
        self.by_verb[verb].add(latency)
        self.overall.add(latency)
        second = self.second(offset)
        second.answered += 1
        second.latencies.append(latency * 1e3)

    def failed(self, verb: Verb, offset: float, reason: str) -> None:
        """Note a failure that stays one."""
        self.failures[verb][reason] += 1
        self.second(offset).failed += 1

    @property
    def failure_count(self) -> int:
        return sum(counter.total() for counter in self.failures.values())


def reason_of(status: int) -> str:
    """Name what a failed request was answered."""
    return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else BROKEN
