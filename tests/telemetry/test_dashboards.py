from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pronoia.adapters.telemetry.exposition import DERIVED
from pronoia.adapters.telemetry.families import FAMILIES, Kind

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
FUNCTIONS = {"sum", "by", "rate", "histogram_quantile", "clamp_min"}
LABELS = {label for family in FAMILIES for label in family.labels} | {"le"}
SERIES = {one.name for one in (*FAMILIES, *DERIVED) if one.kind is not Kind.HISTOGRAM} | {
    f"{one.name}_{end}" for one in FAMILIES if one.kind is Kind.HISTOGRAM for end in ("bucket", "sum", "count")
}


def names_in(expression):
    """Give the names in an expression that are no function, no label, no window and in no quotes."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", expression)
    return set(re.findall(r"[a-z_][a-z_0-9]*", re.sub(r"\d+(\.\d+)?(e-?\d+)?", "", bare))) - FUNCTIONS - LABELS


def test_there_are_dashboards_of_every_part():
    assert [path.stem for path in DASHBOARDS] == ["database", "learning", "overview", "resilience"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_names_metrics_that_exist(path):
    for panel in json.loads(path.read_text())["panels"]:
        for target in panel["targets"]:
            names = names_in(target["expr"])
            assert names, target["expr"]
            assert names <= SERIES, (panel["title"], names - SERIES)


def test_a_name_that_does_not_exist_is_found():
    assert names_in('sum by (route) (rate(invented_total{route=~"x.."}[$__rate_interval])) / 1e-9') - SERIES == {
        "invented_total"
    }


@pytest.mark.parametrize(
    "tool", ["write_dashboards.py", "write_metrics.py", "write_configuration.py", "write_alert_rules.py"]
)
def test_what_is_written_from_the_code_is_up_to_date(tool):
    command = [sys.executable, str(ROOT / "tools" / tool), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own tool
    assert done.returncode == 0, done.stderr
