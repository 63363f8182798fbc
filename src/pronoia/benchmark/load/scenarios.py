"""What is asked of a server, and what it must hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from pronoia.benchmark.load.generator import Behaviour
from pronoia.benchmark.load.mix import Verb
from pronoia.benchmark.load.schedule import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping


class ScenarioName(StrEnum):
    BASELINE = "baseline"
    SUSTAINED = "sustained"
    SPIKE = "spike"
    STRESS = "stress"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True)
class Limit:
    """A percentile of a verb's latencies that must not be exceeded, in milliseconds."""

    verb: Verb
    percentile: float
    milliseconds: float


QUICK = (Verb.SEARCH, Verb.PREDICT, Verb.SUGGEST)
LIMITS = (
    *(Limit(verb, 95, 10) for verb in QUICK),
    *(Limit(verb, 99, 25) for verb in QUICK),
    Limit(Verb.MAINTENANCE, 95, 100),
)
"""On one core for the server, with 100 users of 1,000 memories."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Stages under limits. Any failed request fails the run."""

    name: ScenarioName
    stages: tuple[Stage, ...]

    def shortened(self, seconds: float | None) -> Scenario:
        """Give each stage so many seconds; None leaves them."""
        if seconds is None:
            return self
        return replace(self, stages=tuple(replace(stage, seconds=seconds) for stage in self.stages))


STEADY: Mapping[ScenarioName, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(ScenarioName.BASELINE, (Stage(100, 60),)),
        Scenario(ScenarioName.SUSTAINED, (Stage(150, 300),)),
        Scenario(ScenarioName.SPIKE, (Stage(100, 20), Stage(200, 20), Stage(100, 20), Stage(200, 20), Stage(100, 20))),
    )
}

STEP_SECONDS = 15.0
FIRST_STEPS = (100.0, 200.0, 300.0, 400.0, 500.0)
GROWTH = 1.25
LONGEST_P95 = 50.0
"""Milliseconds over the whole mix at which a step is no longer held."""
LEAST_SUSTAINED = 1_500.0
"""Requests a second."""
MOST_RATE = 20_000.0
"""Where the search ends: one generator gives no more."""

OVERLOAD_FACTOR = 5.0
OVERLOAD_SECONDS = 60.0
WARMING_SECONDS = 20.0
"""Of overload before the one that is judged."""
CALM_SHARE = 0.5
"""Of what the server sustains, before and after the overload that is judged."""
CALM_SECONDS = 15.0
LEAST_GOODPUT = 0.8
"""Of what the server sustains."""
LONGEST_RECOVERY_SECONDS = 10.0
MOST_GROWTH = 1.1
"""Of the server's resident memory, from between the overloads to the most in the second."""
STORM = Behaviour(patience_seconds=1.0, retries=3, connections=2_000)
"""Clients who give up after a second and ask again, up to three times."""
