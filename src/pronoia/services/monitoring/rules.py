"""Which rules are broken now, as the server sees it by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.domain.alerts import Severity
from pronoia.services.monitoring.indicators import INDICATORS, bad_share
from pronoia.services.monitoring.objectives import alert_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pronoia.services.monitoring.indicators import Observation
    from pronoia.services.monitoring.objectives import BurnRate, Objective, Rule


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that is broken for some labels."""

    labels: dict[str, str]
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a rule. `scope` are the labels that every breach of it has."""

    name: str
    severity: Severity
    held_seconds: int
    scope: dict[str, str]
    breaches: list[Breach]


def judge(seen: Observation) -> Iterator[Verdict]:
    """Judge every rule of which something is known."""
    for objective in seen.objectives.objectives:
        for rate in seen.objectives.burn_rates:
            if seen.levels is not None:
                yield _burn(seen, objective, rate)
    for rule in seen.objectives.rules:
        verdict = None if rule.indicator is None else _judged(seen, rule, rule.indicator)
        if verdict is not None:
            yield verdict


def _burn(seen: Observation, objective: Objective, rate: BurnRate) -> Verdict:
    levels = seen.levels or {}
    long = bad_share(objective, levels[rate.long].level, seen.objectives.minimum_bad)
    short = bad_share(objective, levels[rate.short].level, 1)
    limit = rate.factor * objective.budget
    labels = {"window": rate.long}
    breaches: list[Breach] = []
    if long > limit and short > limit:
        spent = long / objective.budget
        breaches.append(
            Breach(labels, f"{objective.promise} Over {rate.long} the budget is spent {spent:.3g} times too fast.")
        )
    return Verdict(alert_of(objective), Severity(rate.severity), 0, labels, breaches)


def _judged(seen: Observation, rule: Rule, indicator: str) -> Verdict | None:
    values = INDICATORS[indicator](seen)
    if values is None:
        return None
    breaches = [
        Breach(dict(labels), f"{rule.summary} Now: {value:.4g}.")
        for labels, value in values.items()
        if rule.broken_by(value)
    ]
    return Verdict(rule.name, Severity(rule.severity), rule.held_seconds, {}, breaches)
