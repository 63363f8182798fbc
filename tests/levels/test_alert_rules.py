"""Prometheus' own tool reads and tests the rules; promtool is in Debian's package prometheus."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pronoia.adapters.telemetry.families import FAMILIES, Kind
from pronoia.services.monitoring.objectives import alert_of, read_objectives

RULES = Path(__file__).parents[2] / "deploy" / "prometheus"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool of Debian's package prometheus is needed")


def promtool(*arguments):
    command = [PROMTOOL, *arguments]
    return subprocess.run(command, cwd=RULES, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603


@needs_promtool
def test_prometheus_understands_the_rules():
    checked = promtool("check", "rules", "rules.yml")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "SUCCESS: 69 rules found" in checked.stdout


@needs_promtool
def test_each_alert_fires_when_it_should_and_only_then():
    tested = promtool("test", "rules", "rules_test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_tested_both_ways():
    objectives = read_objectives()
    named = {alert_of(one) for one in objectives.objectives} | {rule.name for rule in objectives.rules}
    expected = re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:( \[\])?\n", _tests())
    assert {name for name, silent in expected if not silent} == named
    assert {name for name, silent in expected if silent} == named - {"Watchdog"}


def _tests():
    return (RULES / "rules_test.yml").read_text()


def test_every_metric_in_the_rules_is_exported():
    exported = {
        f"{one.name}{end}"
        for one in FAMILIES
        for end in (("_bucket", "_count", "_sum") if one.kind is Kind.HISTOGRAM else ("",))
    }
    text = (RULES / "rules.yml").read_text()
    named = set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b(?=[{\[)])", text))
    assert len(named) > 10
    assert named - exported - {"breaker_name", "histogram_quantile", "clamp_min"} == set()


def test_the_bounds_that_the_objectives_ask_for_are_buckets():
    (durations,) = [one for one in FAMILIES if one.name == "http_request_duration_seconds"]
    wanted = {one.seconds for one in read_objectives().objectives if one.seconds is not None}
    assert wanted == {0.5, 1.0}
    assert wanted <= set(durations.buckets)


def test_what_users_ask_for_is_watched_and_what_probes_ask_for_is_not():
    unwatched = re.compile(read_objectives().unwatched_routes)
    for route in ("/health", "/health/ready", "/metrics", "/", "/api/v1/monitoring/live", "/sla", "/alerts"):
        assert unwatched.fullmatch(route), route
    for route in ("/api/v1/memories", "/api/v1/memories/search", "/api/v1/context", "unrouted", "/context"):
        assert not unwatched.fullmatch(route), route
