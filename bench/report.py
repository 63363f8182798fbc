"""What was measured, beside what, and how it is shown."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 140


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured number: the median of its runs, and the same for what ran beside it."""

    name: str
    unit: str
    runs: list[float]
    beside: str = ""
    beside_runs: list[float] = []
    target: float | None = None
    at_least: bool = False
    """Whether more than the target is better."""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def ratio(self) -> float | None:
        """Of the medians, or None where nothing ran beside it."""
        return self.median / statistics.median(self.beside_runs) if self.beside_runs else None

    @property
    def holds(self) -> bool | None:
        if self.target is None:
            return None
        return self.median >= self.target if self.at_least else self.median <= self.target


def progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def print_table(figures: Sequence[Figure]) -> None:
    table = Table("measured", "median", "range", "target", "beside it", "median", "ratio", box=None)
    for one in figures:
        ratio = one.ratio
        beside = "" if ratio is None else _number(statistics.median(one.beside_runs), one.unit)
        table.add_row(
            one.name,
            _number(one.median, one.unit),
            f"{min(one.runs):,.4g} to {max(one.runs):,.4g}",
            _target(one),
            one.beside,
            beside,
            "" if ratio is None else f"{ratio:.2f}",
        )
    console = Console()
    console.width = max(console.width, WIDTH)
    console.print(table)


def print_json(figures: Sequence[Figure]) -> None:
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    rows = [
        {**msgspec.to_builtins(one), "median": one.median, "ratio": one.ratio, "holds": one.holds} for one in figures
    ]
    print(msgspec.json.format(msgspec.json.encode({"machine": machine, "figures": rows})).decode())


def _number(value: float, unit: str) -> str:
    digits = ",.0f" if value >= 100 else ".2f"  # noqa: PLR2004
    return f"{value:{digits}} {unit}"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    held = "" if figure.holds else "  MISSED"
    return f"{'>=' if figure.at_least else '<='} {figure.target:,g}{held}"
