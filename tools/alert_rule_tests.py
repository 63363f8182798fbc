"""Makes the tests that promtool runs on the rules: which alerts fire in which situation, and which do not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from pronoia.services.monitoring.objectives import alert_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pronoia.services.monitoring.objectives import BurnRate, Objective, Objectives

A_MINUTE = 6_000
"""Requests in each minute of a test."""
MINUTES = 420
SEARCH = 'method="POST",route="/api/v1/memories/search"'
REQUESTS, SECONDS = "http_requests_total", "http_request_duration_seconds"
CAUSES = {"availability": "failing", "errors": "failing", "latency_p95": "over_500_ms", "latency_p99": "over_1_s"}
"""What of the traffic breaks each objective."""


@dataclass
class Situation:
    """What was scraped each minute, and the labels of the alerts that fire in the end. Others named must be silent."""

    name: str
    series: dict[str, str]
    fires: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


def rule_tests(objectives: Objectives, runbook: str, burn_summary: Callable[[Objective, BurnRate], str]) -> str:
    """Write the tests."""
    summaries: dict[tuple[str, str | None], str] = {(rule.name, None): rule.summary for rule in objectives.rules}
    for one in objectives.objectives:
        for rate in objectives.burn_rates:
            summaries[alert_of(one), rate.long] = burn_summary(one, rate)
    situations = [_well(objectives), *_burning(objectives), *_others(objectives), *_broken(objectives)]
    text = "rule_files: [rules.yml]\nevaluation_interval: 10m\n"
    text += "group_eval_order: [pronoia-objectives, pronoia-budgets, pronoia-rules]\ntests:\n"
    return text + "".join(_written(one, summaries, runbook) for one in situations)


def _rising(a_minute: float, minutes: int = MINUTES) -> str:
    return f"0+{a_minute:.12g}x{minutes}"


def _still(value: float = 0) -> str:
    return f"{value:.12g}x{MINUTES}"


def _traffic(
    *, failing: float = 0.0, over_500_ms: float = 0.0, over_1_s: float = 0.0, shed: float = 0.0
) -> dict[str, str]:
    """Give the series of steady traffic of which shares fail, are refused under load, or are slow."""
    served = A_MINUTE * (1 - failing)
    return {
        f'{REQUESTS}{{{SEARCH},status_code="200"}}': _rising(served),
        f'{REQUESTS}{{{SEARCH},status_code="500"}}': _rising(A_MINUTE * failing),
        f'{REQUESTS}{{method="GET",route="/health",status_code="500"}}': _rising(A_MINUTE),
        "requests_shed_total": _rising(A_MINUTE * shed),
        f'{SECONDS}_count{{{SEARCH},status_code="200"}}': _rising(served),
        f'{SECONDS}_bucket{{{SEARCH},status_code="200",le="0.5"}}': _rising(served * (1 - over_500_ms)),
        f'{SECONDS}_bucket{{{SEARCH},status_code="200",le="1.0"}}': _rising(served * (1 - over_1_s)),
        f'{SECONDS}_bucket{{{SEARCH},status_code="200",le="2.5"}}': _rising(served),
        f'{SECONDS}_bucket{{{SEARCH},status_code="200",le="+Inf"}}': _rising(served),
    }


def _well(objectives: Objectives) -> Situation:
    series = {
        **_traffic(),
        'circuit_breaker_state{breaker_name="database"}': _still(1),
        'component_health{component="database"}': _still(1),
        'cache_hits_total{tier="1"}': _rising(600),
        'cache_misses_total{tier="1"}': _rising(200),
        'cache_bytes{tier="1"}': _still(1_000_000_000),
        "db_connections_active": _still(7),
        "db_connections_limit": _still(10),
        "orphaned_relationships": _still(10),
        "learning_metric_rows": _still(100_000),
        "audit_chain_lag_seconds": _still(60),
        "audit_checkpoint_age_seconds": _still(600),
        'temporal_patterns_detected_total{pattern_type="hourly"}': _rising(1),
    }
    named = {alert_of(one) for one in objectives.objectives} | {rule.name for rule in objectives.rules}
    return Situation("all is well", series, {"Watchdog": [{"severity": "info"}]}, tuple(sorted(named - {"Watchdog"})))


def _burning(objectives: Objectives) -> list[Situation]:
    """Spend each budget faster than each burn rate allows and slower than the next higher, and within the budget."""
    factors = sorted((rate.factor for rate in objectives.burn_rates), reverse=True)
    spends = [1.1 * factors[0], *((high + low) / 2 for high, low in pairwise(factors)), 0.5]
    errors = [objectives.objective("errors")]
    others = [one for one in objectives.objectives if one not in errors]
    return [_spent(objectives, group, spend) for spend in spends for group in (others, errors)]


def _spent(objectives: Objectives, group: list[Objective], spend: float) -> Situation:
    shares = {CAUSES[one.name]: spend * one.budget for one in group}
    alerts = [alert_of(one) for one in group]
    name = f"the budgets of {', '.join(one.name for one in group)} are spent {spend:.3g} times as fast as they last"
    fires = [{"severity": rate.severity, "window": rate.long} for rate in objectives.burn_rates if rate.factor < spend]
    if not fires:
        return Situation(name, _traffic(**shares), silent=tuple(alerts))
    return Situation(name, _traffic(**shares), dict.fromkeys(alerts, fires))


def _others(objectives: Objectives) -> list[Situation]:
    ok, failed = (f'{REQUESTS}{{{SEARCH},status_code="{status}"}}' for status in ("200", "500"))
    over = {ok: _rising(A_MINUTE), failed: f"0+600x340 {_kept(600 * 340, 80)}"}
    few = {ok: _still(), failed: f"{objectives.minimum_bad - 1}x{MINUTES}", **_one_by_one(objectives.minimum_bad - 1)}
    burning = [{"severity": rate.severity, "window": rate.long} for rate in objectives.burn_rates]
    return [
        Situation(
            "failures that ended an hour and a quarter ago page nobody",
            over,
            {alert_of(objectives.objective("availability")): [burning[-1]]},
            ("HighErrorRate", "SLAViolation"),
        ),
        Situation("a handful of requests is no evidence", few, silent=("AvailabilityBudgetBurn", "HighErrorRate")),
        Situation(
            "what is refused under load counts against availability and is no error",
            _traffic(failing=0.2, shed=0.2),
            {"AvailabilityBudgetBurn": burning, "SLAViolation": [{"severity": "critical"}]},
            ("ErrorsBudgetBurn", "HighErrorRate"),
        ),
        Situation(
            "2 % of the requests fail",
            _traffic(failing=0.02),
            {"HighErrorRate": [{"severity": "critical"}], "SLAViolation": [{"severity": "critical"}]},
        ),
    ]


def _kept(value: float, minutes: int) -> str:
    return f"{value:.12g}x{minutes}"


def _one_by_one(number: int) -> dict[str, str]:
    """Let every request of the last hour fail, `number` of them."""
    counted = " ".join(str(one) for one in range(1, number + 1))
    return {f'{REQUESTS}{{{SEARCH},status_code="502"}}': f"0x{MINUTES - number} {counted}"}


def _broken(objectives: Objectives) -> list[Situation]:
    """Break each rule on a number."""
    severities = {rule.name: {"severity": rule.severity} for rule in objectives.rules}
    predict = 'method="GET",route="/api/v1/memories/predict",status_code="200"'
    series = {
        f"{SECONDS}_count{{{predict}}}": _rising(100),
        f'{SECONDS}_bucket{{{predict},le="1.0"}}': _rising(90),
        f'{SECONDS}_bucket{{{predict},le="2.5"}}': _rising(100),
        f'{SECONDS}_bucket{{{predict},le="+Inf"}}': _rising(100),
        'circuit_breaker_state{breaker_name="database"}': _still(2),
        'component_health{component="database"}': _still(0),
        'cache_hits_total{tier="1"}': _rising(200),
        'cache_misses_total{tier="1"}': _rising(400),
        'cache_bytes{tier="1"}': _still(1 << 30),
        'cache_bytes{tier="2"}': _still(1),
        "db_connections_active": _still(8),
        "db_connections_limit": _still(10),
        "orphaned_relationships": _still(11),
        "learning_metric_rows": _still(100_001),
        "audit_chain_lag_seconds": _still(61),
        "audit_checkpoint_age_seconds": _still(601),
        f'{REQUESTS}{{{SEARCH},status_code="200"}}': _rising(10),
    }
    numbers = ("ForesightLatencyP95", "LowCacheHitRate", "CacheTooLarge", "DatabaseConnectionPoolHigh")
    numbers = (*numbers, "OrphanedRelationships", "MetricRowsHigh", "NoPatternsDetected", "AuditChainBehind")
    numbers = (*numbers, "AuditNotSigned")
    fires = {name: [severities[name]] for name in numbers}
    fires["CircuitBreakerOpen"] = [{**severities["CircuitBreakerOpen"], "breaker_name": "database"}]
    fires["FailedHealthCheck"] = [{**severities["FailedHealthCheck"], "component": "database"}]
    slow = {name: [severities[name]] for name in ("HighLatencyP95", "HighLatencyP99")}
    nobody = {"LowAvailability": [severities["LowAvailability"]]}
    return [
        Situation("every number is beyond its limit", series, fires),
        Situation("6 % take longer than 500 ms, 2 % longer than 1 s", _traffic(over_500_ms=0.06, over_1_s=0.02), slow),
        Situation("nothing is asked any more", {f'{REQUESTS}{{{SEARCH},status_code="200"}}': _still(7)}, nobody),
        Situation("there are no series at all", {"unrelated": _still()}, nobody),
    ]


def _written(situation: Situation, summaries: dict[tuple[str, str | None], str], runbook: str) -> str:
    text = f"  - name: {json.dumps(situation.name)}\n    interval: 1m\n    input_series:\n"
    for series, values in situation.series.items():
        text += f"      - series: '{series}'\n        values: {json.dumps(values)}\n"
    text += "    alert_rule_test:\n"
    for alert, fired in [*situation.fires.items(), *((name, []) for name in situation.silent)]:
        text += f"      - alertname: {alert}\n        eval_time: {MINUTES}m\n"
        text += "        exp_alerts:\n" if fired else "        exp_alerts: []\n"
        for labels in fired:
            notes = {"summary": summaries[alert, labels.get("window")], "runbook": runbook}
            text += f"          - exp_labels: {json.dumps(labels)}\n            exp_annotations: {json.dumps(notes)}\n"
    return text
