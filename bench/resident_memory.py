"""Memory of the server process as the kernel counts it, at rest and with many users' working sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import texts
from bench.http_load import connected, request
from bench.report import Figure, progress
from bench.search import SEARCH
from bench.server import BARE_APPLICATION, SERVER_CORE, running, serve_command
from bench.writes import name_of

if TYPE_CHECKING:
    from bench.database import BareDatabase


async def measure(database: BareDatabase, key: str, *, runs: int, users: int, each: int) -> list[Figure]:
    """Search once in each user of the bulk writes, ten at a time."""
    resting: list[float] = []
    warm: list[float] = []
    bare: list[float] = []
    (query,) = texts.queries(1, seed=0)
    for run in range(runs):
        with running(serve_command(database.url), cores={SERVER_CORE}) as server:
            resting.append(server.resident_mebibytes())
            async with connected(server.port, 10) as client:
                await client.closed_loop(
                    request(SEARCH, {"query": query}, key=key, user=name_of(place)) for place in range(users)
                )
            warm.append(server.resident_mebibytes())
        with running(BARE_APPLICATION, cores={SERVER_CORE}) as server:
            bare.append(server.resident_mebibytes())
        progress(f"memory {run + 1}/{runs}: at rest {resting[-1]:.0f} MiB, warm {warm[-1]:.0f} MiB")
    beside = "bare Litestar on uvicorn"
    return [
        Figure(name="memory at rest", unit="MiB", runs=resting, beside=beside, beside_runs=bare, target=200),
        Figure(
            name=f"memory with {users} users x {each:,} warm",
            unit="MiB",
            runs=warm,
            beside=beside,
            beside_runs=bare,
            target=500,
        ),
    ]
