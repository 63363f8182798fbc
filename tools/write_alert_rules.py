"""Writes Prometheus' rules, and the tests that promtool runs on them, from the objectives in the package.

With --check it only says whether they are up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from string import Template

from alert_rule_tests import rule_tests

from pronoia.services.monitoring.objectives import (
    BurnRate,
    Objective,
    Objectives,
    Rule,
    alert_of,
    read_objectives,
    seconds_of,
)

TARGET = Path(__file__).parent.parent / "deploy" / "prometheus"
HEADING = "# Written by tools/write_alert_rules.py from src/pronoia/services/monitoring/objectives.toml.\n"
RUNBOOK = "docs/operations.md#alerts-sla-and-health"


def rules(objectives: Objectives) -> str:
    """Write the rules."""
    groups = [
        (
            "pronoia-objectives",
            [_recorded(one, window) for one in objectives.objectives for window in objectives.windows],
        ),
        ("pronoia-budgets", [_burn(one, rate) for one in objectives.objectives for rate in objectives.burn_rates]),
        ("pronoia-rules", [_alert(rule) for rule in objectives.rules]),
    ]
    text = HEADING + "groups:\n"
    for name, written in groups:
        text += f"  - name: {name}\n    rules:\n" + "".join(written)
    return Template(text).substitute(
        watched=f'status_code!="499",route!~{json.dumps(objectives.unwatched_routes)}',
        served=f'status_code=~"2..",route!~{json.dumps(objectives.unwatched_routes)}',
        evidence=objectives.minimum_bad,
    )


def _recorded(objective: Objective, window: str) -> str:
    bad = f"pronoia:{objective.name}:bad_rate{window}"
    total = objective.all.replace("$window", window)
    return (
        f"      - record: {bad}\n"
        f"        expr: |\n{_indented(objective.bad.replace('$window', window))}"
        f"      - record: pronoia:{objective.name}:bad_share{window}\n"
        f"        expr: |\n{_indented(f'{bad} / {total}')}"
    )


def _burn(objective: Objective, rate: BurnRate) -> str:
    limit = round(rate.factor * objective.budget, 6)
    prefix = f"pronoia:{objective.name}:bad"
    expression = (
        f"{prefix}_share{rate.long} > {limit:g}\n"
        f"  and {prefix}_share{rate.short} > {limit:g}\n"
        f"  and {prefix}_rate{rate.long} * {seconds_of(rate.long)} >= $evidence"
    )
    labels = {"severity": rate.severity, "window": rate.long}
    return _written(alert_of(objective), expression, "0m", labels, burn_summary(objective, rate))


def burn_summary(objective: Objective, rate: BurnRate) -> str:
    """Say what is promised and how fast it is being broken."""
    return f"{objective.promise} Over {rate.long} the budget for that is spent {rate.factor:g} times too fast."


def _alert(rule: Rule) -> str:
    expression = rule.expression
    if rule.above is not None:
        expression = f"({expression}) > {rule.above:.12g}"
    if rule.below is not None:
        expression = f"({expression}) < {rule.below:.12g}"
    return _written(rule.name, expression, rule.held, {"severity": rule.severity}, rule.summary)


def _written(name: str, expression: str, held: str, labels: dict[str, str], summary: str) -> str:
    return (
        f"      - alert: {name}\n        expr: |\n{_indented(expression)}        for: {held}\n        labels:\n"
        + "".join(f"          {label}: {json.dumps(value)}\n" for label, value in labels.items())
        + f"        annotations:\n          summary: {json.dumps(summary)}\n"
        f"          runbook: {RUNBOOK}\n"
    )


def _indented(expression: str) -> str:
    return "".join(f"          {line}\n" for line in expression.splitlines())


def main() -> int:
    """Write the files, or check them."""
    objectives = read_objectives()
    wanted = {"rules.yml": rules(objectives), "rules_test.yml": HEADING + rule_tests(objectives, RUNBOOK, burn_summary)}
    stale = [name for name, text in wanted.items() if not _is(TARGET / name, text)]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"{name} is out of date. Run: python tools/write_alert_rules.py", file=sys.stderr)
        return 1 if stale else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (TARGET / name).write_text(wanted[name])
    return 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
