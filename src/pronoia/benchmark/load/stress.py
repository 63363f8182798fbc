"""The most a server sustains: steps of constant arrivals until one is not held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.benchmark.load.scenarios import FIRST_STEPS, GROWTH, LONGEST_P95, MOST_RATE
from pronoia.benchmark.load.schedule import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pronoia.benchmark.load.generator import Generator
    from pronoia.benchmark.load.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Step:
    """One constant rate, and how it went."""

    rate: float
    answered_per_second: float
    p95_ms: float
    p99_ms: float
    failed: int

    @property
    def held(self) -> bool:
        return self.failed == 0 and self.p95_ms < LONGEST_P95


async def climb(
    generator: Generator, seconds: float, each_second: Callable[[int, Recorder], None], began: Callable[[float], None]
) -> list[Step]:
    """Climb until a step is not held, then halve the gap once. `began` is told of each step's rate."""

    async def take(rate: float) -> Step:
        began(rate)
        record = await generator.run([Stage(rate, seconds)], each_second)
        latencies = record.overall
        return Step(
            rate,
            latencies.count / seconds,
            latencies.milliseconds(95),
            latencies.milliseconds(99),
            record.failure_count,
        )

    steps: list[Step] = []
    for rate in _rates():
        steps.append(await take(rate))
        if not steps[-1].held:
            break
    if len(steps) > 1 and not steps[-1].held:
        steps.append(await take((steps[-2].rate + steps[-1].rate) / 2))
    return steps


def sustained(steps: list[Step]) -> float:
    """Give the highest rate that was held; 0 if none was."""
    return max((step.rate for step in steps if step.held), default=0.0)


def _rates() -> Iterator[float]:
    yield from FIRST_STEPS
    rate = FIRST_STEPS[-1] * GROWTH
    while rate <= MOST_RATE:
        yield round(rate)
        rate *= GROWTH
