"""Writes docs/configuration.md from the settings in the code; with --check only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from pronoia.config import PREFIX, Settings

TARGET = Path(__file__).parent.parent / "docs" / "configuration.md"
HEADING = """# Configuration

Every setting is an environment variable. Options of the command line win over it.
This page is written by `python tools/write_configuration.py`.

| Variable | Type | Default | What it does |
|---|---|---|---|
"""


def configuration() -> str:
    """Write the page."""
    schema: dict[str, Any] = msgspec.json.schema(Settings)["$defs"]["Settings"]
    return HEADING + "".join(_row(name, described) for name, described in schema["properties"].items())


def _row(name: str, described: dict[str, Any]) -> str:
    limits = [
        f"{word} {described[key]}"
        for key, word in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
        if key in described
    ]
    default = msgspec.json.encode(described["default"]).decode().strip('"') or "empty"
    kind = " or ".join(described["enum"]) if "enum" in described else " ".join([described["type"], *limits])
    return f"| `{PREFIX}{name.upper()}` | {kind} | {default} | {described['description']} |\n"


def main() -> int:
    """Write the page, or check it."""
    wanted = configuration()
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text() != wanted:
            print(f"{TARGET.name} is out of date. Run: python tools/write_configuration.py", file=sys.stderr)
            return 1
        return 0
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
