"""Runs a scenario against a target that has its memories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pronoia.benchmark.load.generator import Behaviour, Generator
from pronoia.benchmark.load.mix import Mix
from pronoia.benchmark.load.overload import judge, phases_of
from pronoia.benchmark.load.report import overload_report, steady_report, stress_report
from pronoia.benchmark.load.scenarios import LONGEST_P95, STEADY, STEP_SECONDS, STORM, ScenarioName
from pronoia.benchmark.load.schedule import Stage
from pronoia.benchmark.load.stress import climb, sustained

if TYPE_CHECKING:
    from collections.abc import Callable

    from pronoia.benchmark.load.recorder import Recorder
    from pronoia.benchmark.load.report import LoadReport
    from pronoia.benchmark.load.stress import Step
    from pronoia.benchmark.load.target import Target

WARMING_RATE = 100.0
WARMING_REQUESTS_PER_USER = 3
MOST_WARMING = 20
"""Rounds. A server that is not warm then is measured as it is."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, against a target that has its memories."""

    scenario: ScenarioName
    topics: int
    """How many different things each user asks about."""
    seed: int
    seconds: float | None = None
    """Length of each stage or step instead of its own."""
    rate: float | None = None
    """For an overload, what the server is known to sustain; None finds it out."""


class Run:
    """One scenario against one target. `tell` hears what is going on, about once a second."""

    def __init__(self, order: Order, target: Target, tell: Callable[[str], None]) -> None:
        self._order = order
        self._target = target
        self._tell = tell
        self._now = ""

    async def __call__(self) -> LoadReport:
        """Load the working sets, run the scenario and report."""
        warming_seconds = await self._warm()
        match self._order.scenario:
            case ScenarioName.STRESS:
                report = stress_report(self._order.seed, await self._climb())
            case ScenarioName.OVERLOAD:
                report = await self._overload()
            case _:
                report = await self._steady()
        return replace(report, warming_seconds=warming_seconds)

    async def _warm(self) -> float | None:
        """Ask all users until a round is answered in time. Give the seconds it took; None without such a round."""
        warming = self._generator(Behaviour())
        seconds = max(1.0, len(self._target.users) * WARMING_REQUESTS_PER_USER / WARMING_RATE)
        try:
            for number in range(1, MOST_WARMING + 1):
                self._begin(f"warming, round {number}")
                record = await warming.run([Stage(WARMING_RATE, seconds)], self._each_second)
                if not record.failure_count and record.overall.milliseconds(95) < LONGEST_P95:
                    return number * seconds
        finally:
            await warming.close()
        return None

    async def _steady(self) -> LoadReport:
        scenario = STEADY[self._order.scenario].shortened(self._order.seconds)
        self._begin(scenario.name)
        generator = self._generator(Behaviour())
        try:
            record = await generator.run(scenario.stages, self._each_second)
        finally:
            await generator.close()
        return steady_report(scenario.name, self._order.seed, record)

    async def _climb(self) -> list[Step]:
        generator = self._generator(Behaviour())
        try:
            seconds = self._order.seconds or STEP_SECONDS
            return await climb(generator, seconds, self._each_second, lambda rate: self._begin(f"{rate:g}/s"))
        finally:
            await generator.close()

    async def _overload(self) -> LoadReport:
        steps = await self._climb() if self._order.rate is None else []
        phases = phases_of(self._order.rate or max(sustained(steps), 1.0), self._order.seconds)
        self._begin(f"overload of {phases.peak:g}/s")
        generator = self._generator(STORM)
        try:
            record = await generator.run(phases.stages, self._each_second)
        finally:
            await generator.close()
        return overload_report(self._order.seed, steps, record, judge(phases, record.seconds))

    def _generator(self, behaviour: Behaviour) -> Generator:
        target = self._target
        host = f"{target.host}:{target.port}"
        mix = Mix(host, target.users, topics=self._order.topics, seed=self._order.seed)
        return Generator(target.host, target.port, mix, behaviour)

    def _begin(self, what: str) -> None:
        self._now = what
        self._tell(what)

    def _each_second(self, number: int, record: Recorder) -> None:
        second = record.second(number)
        second.resident_bytes = self._target.resident_bytes()
        self._tell(
            f"{self._now}, second {number + 1}: {second.due} due, {second.answered} answered, "
            f"{record.failure_count} failed in all"
        )
