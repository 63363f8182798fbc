"""Measure everything once: python -m bench [--quick] [--json]."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench import database, resident_memory, search, startup, writes
from bench.report import Figure, print_json, print_table, progress
from bench.server import LOAD_CORES, SERVER_CORE, create_service_key, running, serve_command

SEARCHED = {"searched-1000": 1_000, "searched-10000": 10_000}


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    runs: int
    single_writes: int
    users_each_run: int
    searches: int
    cold_searches: int

    @property
    def users(self) -> int:
        return self.runs * self.users_each_run


WHOLE = Extent(runs=5, single_writes=3_000, users_each_run=20, searches=300, cold_searches=5)
QUICK = Extent(runs=2, single_writes=1_000, users_each_run=5, searches=100, cold_searches=2)
MEMORIES_EACH = 1_000


async def measure(extent: Extent) -> list[Figure]:
    os.sched_setaffinity(0, LOAD_CORES)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="pronoia-bench-") as folder:
        async with database.opened(Path(folder) / "data") as bare:
            key = create_service_key(bare.url)
            with running(serve_command(bare.url), cores={SERVER_CORE}) as server:
                port = server.port
                figures += await writes.single(bare, port, key, runs=extent.runs, count=extent.single_writes)
                figures += await writes.bulk(
                    bare, port, key, runs=extent.runs, users=extent.users_each_run, each=MEMORIES_EACH
                )
                for user, size in SEARCHED.items():
                    progress(f"storing {size:,} memories to search in")
                    await writes.fill(bare, port, key, user, size)
                figures += await search.warm(bare, port, key, SEARCHED, runs=extent.runs, count=extent.searches)
            figures += await search.cold(bare, key, SEARCHED, runs=extent.runs, count=extent.cold_searches)
            figures += await resident_memory.measure(
                bare, key, runs=extent.runs, users=extent.users, each=MEMORIES_EACH
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: about a minute")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    arguments = parser.parse_args()
    extent = QUICK if arguments.quick else WHOLE
    begun = time.monotonic()
    progress(f"load of the machine: {os.getloadavg()[0]:.2f}; quiet is best")
    figures = [*startup.measure(extent.runs), *uvloop.run(measure(extent))]
    progress(f"measured in {time.monotonic() - begun:.0f} s")
    (print_json if arguments.json else print_table)(figures)


if __name__ == "__main__":
    main()
