"""Writes Grafana's dashboards from dashboard_panels.py; with --check only says whether they are up to date."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dashboard_panels import DASHBOARDS, Dashboard, Panel

FOLDER = Path(__file__).parent.parent / "deploy" / "grafana"
ACROSS, WIDTH, HEIGHT = 3, 8, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}

Json = dict[str, Any]


def rendered(dashboard: Dashboard) -> str:
    """Write a dashboard as Grafana imports it."""
    document: Json = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["pronoia"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }
    return json.dumps(document, indent=2) + "\n"


def _panel(number: int, panel: Panel) -> Json:
    row, column = divmod(number, ACROSS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": one.expression, "legendFormat": one.legend}
            for place, one in enumerate(panel.targets)
        ],
    }


def main() -> int:
    """Write the dashboards, or check them."""
    wanted = {FOLDER / f"{name}.json": rendered(dashboard) for name, dashboard in DASHBOARDS.items()}
    if "--check" in sys.argv[1:]:
        stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]
        stale += [path.name for path in FOLDER.glob("*.json") if path not in wanted]
        if stale:
            print(f"{', '.join(stale)} out of date. Run: python tools/write_dashboards.py", file=sys.stderr)
            return 1
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
