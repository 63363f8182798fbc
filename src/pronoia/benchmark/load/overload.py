"""Five times what a server sustains, by clients who ask again: it must go on serving, and recover."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from pronoia.benchmark.load.scenarios import (
    CALM_SECONDS,
    CALM_SHARE,
    LEAST_GOODPUT,
    LONGEST_P95,
    LONGEST_RECOVERY_SECONDS,
    MOST_GROWTH,
    OVERLOAD_FACTOR,
    OVERLOAD_SECONDS,
    WARMING_SECONDS,
)
from pronoia.benchmark.load.schedule import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.benchmark.load.recorder import Second

WELL_FOR_SECONDS = 3
"""So many good seconds in a row mean that the server has recovered."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Overload, calm, overload, calm; in whole seconds.

    The first overload is not judged. It fills the caches and opens the connections, whose memory is bounded and is not
    given back: what still grows in the second has no bound.
    """

    peak: float
    warming_seconds: int
    calm_seconds: int
    overload_seconds: int
    afterwards_seconds: int

    @property
    def stages(self) -> list[Stage]:
        calm, too_much = self.peak * CALM_SHARE, self.peak * OVERLOAD_FACTOR
        return [
            Stage(too_much, self.warming_seconds),
            Stage(calm, self.calm_seconds),
            Stage(too_much, self.overload_seconds),
            Stage(calm, self.afterwards_seconds),
        ]


@dataclass(frozen=True, slots=True)
class Overload:
    """What an overload did."""

    peak: float
    """Requests a second that the server was known to sustain."""
    goodput: float
    """Requests answered a second during the overload."""
    recovery_seconds: float
    """From the end of the overload to the first of WELL_FOR_SECONDS good seconds; infinite if there were none."""
    cold_bytes: int
    """Resident memory in the first second of all; 0 where it is not known, as the others."""
    calm_bytes: int
    """The most between the overloads."""
    overloaded_bytes: int
    """The most during the second."""

    @property
    def growth(self) -> float:
        """Give memory during the overload as a multiple of that before; 1 where it is not known."""
        return self.overloaded_bytes / self.calm_bytes if self.calm_bytes else 1.0

    @property
    def goodput_share(self) -> float:
        return self.goodput / self.peak

    @property
    def held(self) -> bool:
        return (
            self.goodput_share >= LEAST_GOODPUT
            and self.recovery_seconds <= LONGEST_RECOVERY_SECONDS
            and self.growth <= MOST_GROWTH
        )


def phases_of(peak: float, seconds: float | None) -> Phases:
    """Plan an overload; `seconds` is its length if not the usual one."""
    overloaded = OVERLOAD_SECONDS if seconds is None else seconds
    afterwards = LONGEST_RECOVERY_SECONDS + WELL_FOR_SECONDS + 2
    return Phases(
        peak,
        int(min(WARMING_SECONDS, overloaded)),
        int(min(CALM_SECONDS, overloaded)),
        int(overloaded),
        int(afterwards),
    )


def judge(phases: Phases, seconds: Sequence[Second]) -> Overload:
    """Judge the seconds of a run through the phases."""
    begin = phases.warming_seconds + phases.calm_seconds
    end = begin + phases.overload_seconds
    overloaded = seconds[begin:end]
    return Overload(
        peak=phases.peak,
        goodput=fmean(second.answered for second in overloaded),
        recovery_seconds=_recovery(seconds[end:]),
        cold_bytes=seconds[0].resident_bytes,
        calm_bytes=max(second.resident_bytes for second in seconds[phases.warming_seconds : begin]),
        overloaded_bytes=max(second.resident_bytes for second in overloaded),
    )


def _recovery(after: Sequence[Second]) -> float:
    good = [second.failed == 0 and second.retried == 0 and 0 < second.p95 < LONGEST_P95 for second in after]
    for start in range(len(good) - WELL_FOR_SECONDS + 1):
        if all(good[start : start + WELL_FOR_SECONDS]):
            return float(start)
    return float("inf")
