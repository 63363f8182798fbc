"""When requests are due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of constant arrivals: `rate` requests a second."""

    rate: float
    seconds: float


def due_times(stages: Sequence[Stage]) -> Iterator[float]:
    """Give the seconds from the start at which each request is due, evenly spaced within a stage."""
    begin = 0.0
    for stage in stages:
        for number in range(round(stage.rate * stage.seconds)):
            yield begin + number / stage.rate
        begin += stage.seconds


def total_seconds(stages: Sequence[Stage]) -> float:
    return sum(stage.seconds for stage in stages)
