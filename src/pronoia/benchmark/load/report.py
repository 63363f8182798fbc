"""What a run found, for people and for machines, and whether the server held what was asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.benchmark.load.mix import Verb
from pronoia.benchmark.load.scenarios import (
    LEAST_GOODPUT,
    LEAST_SUSTAINED,
    LIMITS,
    LONGEST_P95,
    LONGEST_RECOVERY_SECONDS,
    MOST_GROWTH,
    OVERLOAD_FACTOR,
    ScenarioName,
)
from pronoia.benchmark.load.stress import sustained
from pronoia.benchmark.recall_report import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.benchmark.load.overload import Overload
    from pronoia.benchmark.load.recorder import Recorder
    from pronoia.benchmark.load.scenarios import Limit
    from pronoia.benchmark.load.stress import Step

MEBIBYTE = 2**20
PERCENTILES = (50.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Objective:
    """Something that was asked of the server, and what it did."""

    what: str
    asked: str
    found: str
    met: bool


@dataclass(frozen=True, slots=True)
class VerbReport:
    requests: int
    failures: dict[str, int]
    percentiles_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class SecondReport:
    due: int
    answered: int
    failed: int
    retried: int
    p95_ms: float
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class LoadReport:
    """One scenario."""

    scenario: ScenarioName
    seed: int
    objectives: list[Objective]
    verbs: dict[Verb, VerbReport]
    generator_lateness_p99_ms: float
    """Counted against the server, though it is not to blame."""
    distribution_ms: list[tuple[float, float]]
    """Percentile and latency over all verbs."""
    seconds: list[SecondReport]
    steps: Sequence[Step] = ()
    overload: Overload | None = None
    warming_seconds: float | None = None
    """From a server with nothing in memory to one that answers in time; None if it did not come to that."""

    @property
    def reached(self) -> bool:
        return all(objective.met for objective in self.objectives)

    def tables(self) -> list[Table]:
        """Lay out everything but the seconds."""
        return [
            *([_verb_table(self)] if self.verbs else []),
            _fact_table(self),
            *([_step_table(self.steps)] if self.steps else []),
            Table(
                "objectives",
                ("what", "asked", "found", ""),
                [(one.what, one.asked, one.found, "met" if one.met else "MISSED") for one in self.objectives],
            ),
        ]


def steady_report(name: ScenarioName, seed: int, record: Recorder) -> LoadReport:
    """Hold a run to the latency limits, and to no failure at all."""
    failures = record.failure_count
    objectives = [_held(limit, record) for limit in LIMITS if record.by_verb[limit.verb].count]
    objectives.append(Objective("failed requests", "0", str(failures), failures == 0))
    return _report(name, seed, record, objectives)


def stress_report(seed: int, steps: Sequence[Step]) -> LoadReport:
    """Hold the climb to the rate that the project promises."""
    most = sustained(list(steps))
    objective = Objective(
        f"most sustained, p95 < {LONGEST_P95:g} ms and no failure",
        f">= {LEAST_SUSTAINED:g}/s",
        f"{most:g}/s",
        most >= LEAST_SUSTAINED,
    )
    return LoadReport(ScenarioName.STRESS, seed, [objective], {}, 0.0, [], [], steps)


def overload_report(seed: int, steps: Sequence[Step], record: Recorder, found: Overload) -> LoadReport:
    """Hold an overload to its goodput, its memory and its recovery."""
    objectives = [
        Objective(
            f"goodput under {OVERLOAD_FACTOR:g} x {found.peak:g}/s",
            f">= {LEAST_GOODPUT:.0%} of the peak",
            f"{found.goodput_share:.0%}, {found.goodput:.0f}/s",
            found.goodput_share >= LEAST_GOODPUT,
        ),
        Objective(
            "recovery",
            f"<= {LONGEST_RECOVERY_SECONDS:g} s",
            f"{found.recovery_seconds:g} s",
            found.recovery_seconds <= LONGEST_RECOVERY_SECONDS,
        ),
        Objective("memory during it", f"<= x {MOST_GROWTH:g}", _growth(found), found.growth <= MOST_GROWTH),
    ]
    return _report(ScenarioName.OVERLOAD, seed, record, objectives, steps, found)


def _growth(found: Overload) -> str:
    cold, calm, overloaded = (
        f"{size / MEBIBYTE:.0f}" for size in (found.cold_bytes, found.calm_bytes, found.overloaded_bytes)
    )
    return f"x {found.growth:.2f}: {cold} MiB cold, {calm} before, {overloaded} during"


def _report(
    name: ScenarioName,
    seed: int,
    record: Recorder,
    objectives: list[Objective],
    steps: Sequence[Step] = (),
    overload: Overload | None = None,
) -> LoadReport:
    return LoadReport(
        scenario=name,
        seed=seed,
        objectives=objectives,
        verbs={verb: _verb_report(record, verb) for verb in Verb},
        generator_lateness_p99_ms=record.lateness.milliseconds(99),
        distribution_ms=[(percentile, record.overall.milliseconds(percentile)) for percentile in _percentiles()],
        seconds=[
            SecondReport(one.due, one.answered, one.failed, one.retried, round(one.p95, 3), one.resident_bytes)
            for one in record.seconds
        ],
        steps=steps,
        overload=overload,
    )


def _percentiles() -> list[float]:
    """Space percentiles evenly by nines: 0, 20.6, 36.9 ... 90 ... 99 ... 99.99."""
    return [100 * (1 - 10 ** (-number / 10)) for number in range(41)]


def _held(limit: Limit, record: Recorder) -> Objective:
    found = record.by_verb[limit.verb].milliseconds(limit.percentile)
    return Objective(
        f"{limit.verb} p{limit.percentile:g}",
        f"<= {limit.milliseconds:g} ms",
        f"{found:.1f} ms",
        found <= limit.milliseconds,
    )


def _verb_report(record: Recorder, verb: Verb) -> VerbReport:
    failures = dict(record.failures[verb])
    return VerbReport(
        requests=record.by_verb[verb].count + sum(failures.values()),
        failures=failures,
        percentiles_ms={
            f"p{percentile:g}": record.by_verb[verb].milliseconds(percentile) for percentile in PERCENTILES
        },
    )


def _verb_table(report: LoadReport) -> Table:
    return Table(
        f"{report.scenario}: ms from when a request was due",
        ("request", "sent", "failed", *(f"p{percentile:g}" for percentile in PERCENTILES)),
        [
            (
                verb,
                str(one.requests),
                ", ".join(f"{count} {reason}" for reason, count in one.failures.items()) or "0",
                *(f"{value:.1f}" for value in one.percentiles_ms.values()),
            )
            for verb, one in report.verbs.items()
        ],
    )


def _fact_table(report: LoadReport) -> Table:
    resident = max((second.resident_bytes for second in report.seconds), default=0)
    facts = [
        ("seed of the traffic", str(report.seed)),
        ("warm", "no" if report.warming_seconds is None else f"after {report.warming_seconds:g} s"),
    ]
    if report.seconds:
        facts += [
            ("generator late, p99", f"{report.generator_lateness_p99_ms:.1f} ms"),
            ("server's memory at most", f"{resident / MEBIBYTE:.0f} MiB" if resident else "not known"),
        ]
    return Table("the run", ("what", "found"), facts)


def _step_table(steps: Sequence[Step]) -> Table:
    return Table(
        "steps",
        ("offered/s", "answered/s", "p95 ms", "p99 ms", "failed", ""),
        [
            (
                f"{step.rate:g}",
                f"{step.answered_per_second:.1f}",
                f"{step.p95_ms:.1f}",
                f"{step.p99_ms:.1f}",
                str(step.failed),
                "held" if step.held else "not held",
            )
            for step in steps
        ],
    )
