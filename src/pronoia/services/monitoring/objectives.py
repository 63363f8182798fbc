"""The promises of the server and the rules that watch them, as objectives.toml says them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from msgspec import Struct, convert, field

SECONDS_IN = {"m": 60, "h": 3_600, "d": 86_400}
DURATION = re.compile(r"([0-9]+)([mhd])")


class Objective(Struct, frozen=True, kw_only=True):
    """`target` is the share of requests that must be good; `bad` and `all` are rates, as Prometheus computes them."""

    name: str
    promise: str
    target: float
    seconds: float | None = None
    """The time within which a request is good, where the objective is about time."""
    bad: str
    all: str

    @property
    def budget(self) -> float:
        """The share of requests that may be bad."""
        return round(1 - self.target, 6)


class BurnRate(Struct, frozen=True, kw_only=True):
    factor: float
    long: str
    short: str
    severity: str


class Rule(Struct, frozen=True, kw_only=True):
    """`indicator` is the number that the server watches by itself; None can be seen from outside only."""

    name: str
    severity: str
    summary: str
    expression: str
    held: str = field(name="for")
    indicator: str | None = None
    above: float | None = None
    below: float | None = None

    @property
    def held_seconds(self) -> int:
        return seconds_of(self.held)

    def broken_by(self, value: float) -> bool:
        """Say whether a value is beyond the limit."""
        return (self.above is not None and value > self.above) or (self.below is not None and value < self.below)


class Objectives(Struct, frozen=True, kw_only=True):
    unwatched_routes: str
    minimum_bad: int
    objectives: tuple[Objective, ...]
    burn_rates: tuple[BurnRate, ...]
    rules: tuple[Rule, ...]

    def objective(self, name: str) -> Objective:
        """Find an objective by its name."""
        return next(one for one in self.objectives if one.name == name)

    @property
    def windows(self) -> tuple[str, ...]:
        """Every window that burn rates look at, the shortest first."""
        found = {window for rate in self.burn_rates for window in (rate.short, rate.long)}
        return tuple(sorted(found, key=seconds_of))


@dataclass(frozen=True, slots=True)
class Targets:
    """The promises in figures, for reports."""

    availability: float
    error_rate: float
    p95_seconds: float
    p99_seconds: float


def seconds_of(duration: str) -> int:
    """Read a duration such as 5m, 6h or 3d. Raises ValueError for any other."""
    found = DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration")
    return int(found[1]) * SECONDS_IN[found[2]]


def targets(objectives: Objectives) -> Targets:
    """Give the promises in figures."""
    return Targets(
        availability=objectives.objective("availability").target,
        error_rate=objectives.objective("errors").budget,
        p95_seconds=objectives.objective("latency_p95").seconds or 0.0,
        p99_seconds=objectives.objective("latency_p99").seconds or 0.0,
    )


@cache
def read_objectives() -> Objectives:
    """Read the file in the package."""
    text = (resources.files(__package__ or "") / "objectives.toml").read_text("utf-8")
    return convert(tomllib.loads(text), Objectives)


def alert_of(objective: Objective) -> str:
    """Name the alert of an objective's burn rates, such as LatencyP95BudgetBurn."""
    return "".join(word.title() for word in objective.name.split("_")) + "BudgetBurn"
