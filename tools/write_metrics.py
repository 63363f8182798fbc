"""Writes docs/metrics.md from the families in the code; with --check only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from pronoia.adapters.telemetry.aliases import ALIASES
from pronoia.adapters.telemetry.exposition import DERIVED
from pronoia.adapters.telemetry.families import FAMILIES

TARGET = Path(__file__).parent.parent / "docs" / "metrics.md"
HEADING = """# Metrics

Every series family that `/metrics` shows. Routes are templates; no label names a user, an organisation or a key.
This page is written by `python tools/write_metrics.py`.

| Name | Kind | Labels | What it says |
|---|---|---|---|
"""
SECOND_NAMES = """
## Second names

The same series under the names that other documents, dashboards and alert rules use.

| Name | The same as | Labels called otherwise |
|---|---|---|
"""
ABSENT = """
## Names that are not shown

| Name | Why |
|---|---|
| `claude_api_calls_total`, `claude_api_latency_seconds` | No language model is called. Calls of an embedder are `embedding_calls_total`. |
| `agents_total`, `agent_reputation_score`, `agent_contributions_total`, `contributions_24h`, `conflicts_detected_total`, `conflicts_resolved_total` | They belong to collaboration between agents, which this server does not have. |
| `learning_patterns_active` | Patterns are read off the log of uses when they are asked for; none is stored to be active. |
"""  # noqa: E501 - rows of a table


def page() -> str:
    """Write the page."""
    families = sorted((*FAMILIES, *DERIVED), key=lambda family: family.name)
    shown = {family.name for family in families}
    return "".join(
        (
            HEADING,
            *(_row(f"`{one.name}`", one.kind.value, _codes(one.labels), one.help) for one in families),
            SECOND_NAMES,
            *(
                _row(f"`{one.name}`", f"`{one.family}`", ", ".join(f"`{a}`: `{b}`" for a, b in one.renamed.items()))
                for one in ALIASES
                if one.family in shown
            ),
            ABSENT,
        )
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> int:
    """Write the page, or check it."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text() != wanted:
            print(f"{TARGET.name} is out of date. Run: python tools/write_metrics.py", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
