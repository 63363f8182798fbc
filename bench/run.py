"""make bench: speed and memory, as medians of five, with a ratio to something that ran beside it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from statistics import median
from typing import TYPE_CHECKING

import measurements
from harness import fill, postgres, serving
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from measurements import Figures

AIMS = {
    "search, 1,000 memories, warm": "",
    "search, 10,000 memories, warm": "<= 3 ms",
    "search, 10,000 memories, cold": "<= 150 ms",
    "predict, 1,000 memories and 10,000 events": "<= 1.5 ms",
    "suggest, 1,000 memories and 10,000 events": "<= 1.5 ms",
    "update after one access": "<= 0.2 ms",
    "durable single writes": ">= 800/s",
    "bulk writes, embedding included": ">= 4,000/s",
    "start, second": "<= 3 s",
    "memory at rest": "<= 200 MiB",
    "memory, 100 users x 1,000": "<= 500 MiB",
}
"""What DESIGN asks of one core for the server and the other for PostgreSQL and the load."""


class Runner:
    """Repeats measurements and keeps their medians."""

    def __init__(self, repeats: int) -> None:
        self._repeats = repeats
        self.results: dict[str, Figures] = {}

    async def repeat(self, name: str, measure: Callable[[int], Awaitable[Figures]]) -> None:
        """Measure so many times, and keep the median of each figure."""
        runs: list[Figures] = []
        for number in range(self._repeats):
            print(f"\r{name}: {number + 1} of {self._repeats} ", end="", file=sys.stderr, flush=True)
            runs.append(await measure(number))
        self.keep(name, runs)

    def keep(self, name: str, runs: list[Figures]) -> None:
        """Keep the medians of runs."""
        self.results[name] = {figure: median(run[figure] for run in runs) for figure in runs[0]}
        print(f"\r{name}: {_text(self.results[name])}", file=sys.stderr)


async def run(repeats: int, scale: int) -> dict[str, Figures]:
    """Measure everything, 1/scale of the full amounts."""
    runner = Runner(repeats)
    async with postgres() as url:
        async with serving(url) as server:
            for memories in (1_000, 10_000):
                user = f"{memories} memories"
                await fill(server, user, memories)
                await runner.repeat(
                    f"search, {memories:,} memories, warm",
                    lambda number, user=user: measurements.search(server, user, 500 // scale, number),
                )
            await measurements.use(server, "1000 memories", 9_000 // scale)
            await runner.repeat(
                "predict, 1,000 memories and 10,000 events",
                lambda _: measurements.predict(server, "1000 memories", 500 // scale),
            )
            await runner.repeat(
                "predict, just after a use",
                lambda _: measurements.predict_after_use(server, "1000 memories", 500 // scale),
            )
            await runner.repeat(
                "suggest, 1,000 memories and 10,000 events",
                lambda number: measurements.suggest(server, "1000 memories", 500 // scale, number),
            )
            await runner.repeat("durable single writes", lambda _: measurements.single_writes(server, 4_000 // scale))
            await runner.repeat(
                "bulk writes, embedding included",
                lambda number: measurements.bulk_writes(server, 10_000 // scale, f"bulk {number}"),
            )
        await runner.repeat(
            "exact scan in PostgreSQL, 10,000", lambda _: measurements.exact_scan(url, "10000 memories", 50)
        )
        await runner.repeat("search, 10,000 memories, cold", lambda _: measurements.cold_search(url, "10000 memories"))
        rest, warm = await measurements.memory(url, 100 // scale, 1_000)
        runner.keep("memory at rest", [rest])
        runner.keep(f"memory, {100 // scale} users x 1,000", [warm])
    measurements.pin_to_server_core()
    updates = [measurements.update(1_000, 10_000, 1_000 // scale) for _ in range(repeats)]
    runner.keep("update after one access", updates)
    pairs = [await measurements.starts() for _ in range(repeats)]
    runner.keep("start, first", [first for first, _ in pairs])
    runner.keep("start, second", [second for _, second in pairs])
    return runner.results


def _text(figures: Figures) -> str:
    return ", ".join(f"{value:,.2f} {name}" for name, value in figures.items())


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run of a fifth of everything, about a minute")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    options = parser.parse_args()
    results = asyncio.run(run(1, 5) if options.quick else run(5, 1))
    if options.json:
        print(json.dumps(results, indent=2))
        return
    table = Table("what", "measured", "aim", box=None)
    for name, figures in results.items():
        table.add_row(name, _text(figures), AIMS.get(name, ""))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
