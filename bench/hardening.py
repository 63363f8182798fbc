"""What limits, breakers, caches and metrics cost one request: this checkout beside another, or beside other settings.

Both servers run at once on the same core and PostgreSQL, and are asked in turn, so whatever else the machine does
meets both.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import harness
from rich.console import Console
from rich.table import Table

from client import Connection
from pronoia.benchmark.load.texts import sentence, words_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

MEMORIES = 1_000
USER = "bench"
REQUESTS = (
    ("GET", "/health", None),
    ("POST", "/api/v1/memories/search", "query"),
    ("POST", "/api/v1/memories/predict", "context"),
    ("POST", "/api/v1/memories/suggest", "context"),
    ("GET", "/api/v1/learning/metrics", None),
    ("GET", "/api/v1/learning/maintenance-suggestions", None),
    ("POST", "/api/v1/memories", "text"),
)


@asynccontextmanager
async def filled(program: Path, folder: Path, settings: Sequence[str]) -> AsyncIterator[harness.Server]:
    """Run a program's server with its own PostgreSQL and a user's memories."""
    harness.PRONOIA = program
    os.environ.update(pair.split("=", 1) for pair in settings)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(migrated(program, folder))
        server = await stack.enter_async_context(harness.serving(url))
        for pair in settings:
            del os.environ[pair.partition("=")[0]]
        await harness.fill(server, USER, MEMORIES)
        yield server


@asynccontextmanager
async def migrated(program: Path, folder: Path) -> AsyncIterator[str]:
    """Run a PostgreSQL whose schema is the program's own: the other checkout may know an earlier one."""
    postgres = harness.EmbeddedPostgres(folder)
    url = await postgres.start()
    try:
        process = await asyncio.create_subprocess_exec(program, "migrate", "--database-url", url)
        if await process.wait():
            raise RuntimeError(f"{program} could not migrate")
        yield url
    finally:
        await postgres.stop()


async def compare(servers: Sequence[harness.Server], rounds: int) -> dict[str, list[float]]:
    """Ask each server in turn, and give the median milliseconds of each request by server."""
    connections = [Connection(server.port, server.key) for server in servers]
    results: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        for connection in connections:
            await stack.enter_async_context(connection)
        for method, path, field in REQUESTS:
            times: list[list[float]] = [[] for _ in servers]
            for number in range(rounds):
                for place, connection in enumerate(connections):
                    about = sentence(MEMORIES + number) if field == "text" else words_of(number % MEMORIES)
                    body = {field: about} if field else None
                    times[place].append(await connection.timed(connection.request(method, path, body, USER)))
            results[f"{method} {path}"] = [1e3 * median(one[rounds // 10 :]) for one in times]
    return results


async def run(other: Path, without: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Measure this checkout, and the other program with other settings."""
    os.sched_setaffinity(0, {harness.LOAD_CORE})
    own = harness.PRONOIA
    with TemporaryDirectory(prefix="pronoia-bench-", ignore_cleanup_errors=True) as folder:
        async with (
            filled(own, Path(folder) / "with", []) as hardened,
            filled(other, Path(folder) / "without", without) as bare,
        ):
            return await compare([hardened, bare], rounds)


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, default=harness.PRONOIA, help="bin/pronoia of another checkout")
    parser.add_argument("--without", action="append", default=[], metavar="NAME=VALUE", help="a setting of the other")
    parser.add_argument("--rounds", type=int, default=500)
    options = parser.parse_args()
    table = Table("request", "with, ms", "without, ms", "ratio", box=None)
    for name, (ours, others) in asyncio.run(run(options.other, options.without, options.rounds)).items():
        table.add_row(name, f"{ours:.2f}", f"{others:.2f}", f"{ours / others:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
