"""Search over HTTP: warm at a fixed rate, and cold, where the working set must first be loaded."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench import texts
from bench.http_load import connected, request
from bench.report import Figure, percentile, progress
from bench.server import BARE_APPLICATION, SERVER_CORE, running, serve_command

if TYPE_CHECKING:
    from bench.database import BareDatabase

PER_SECOND = 100.0
WARM_UP = 50
SEARCH = "/api/v1/memories/search"
WARM_TARGET_MS = 3
COLD_TARGET_MS = 150
LARGEST = 10_000
SMALLEST_BUDGET = str(1 << 20)
"""One user's set stays whatever its size, and no second one beside it."""


async def warm(
    database: BareDatabase, port: int, key: str, users: dict[str, int], *, runs: int, count: int
) -> list[Figure]:
    """Search in each user at an open rate, in turn with the bare route and the exact scan in PostgreSQL."""
    figures: list[Figure] = []
    with running(BARE_APPLICATION, cores={SERVER_CORE}) as bare_server:
        for user, size in users.items():
            ours, tails, bare, scans = [], [], [], []
            for run in range(runs):
                asked = texts.queries(count + WARM_UP, seed=run)
                requests = [request(SEARCH, {"query": query}, key=key, user=user) for query in asked]
                taken = await _warm_latencies(port, requests)
                ours.append(statistics.median(taken))
                tails.append(percentile(taken, 0.95))
                echoes = [request("/", {"query": query}) for query in asked]
                bare.append(statistics.median(await _warm_latencies(bare_server.port, echoes)))
                scans.append(statistics.median(await database.scan(user, WARM_UP)) * 1_000)
                progress(f"search in {size:,} {run + 1}/{runs}: {ours[-1]:.2f} ms, p95 {tails[-1]:.2f} ms")
            name = f"search in {size:,}, warm"
            target = WARM_TARGET_MS if size == LARGEST else None
            scan = "exact vector scan in PostgreSQL"
            figures += [
                Figure(name=f"{name}, p50", unit="ms", runs=ours, beside="bare route", beside_runs=bare, target=target),
                Figure(name=f"{name}, p50", unit="ms", runs=ours, beside=scan, beside_runs=scans),
                Figure(name=f"{name}, p95", unit="ms", runs=tails),
            ]
    return figures


async def cold(database: BareDatabase, key: str, users: dict[str, int], *, runs: int, count: int) -> list[Figure]:
    """Search where every user pushes the other out of memory, and as the first request of a fresh process."""
    dropped: dict[str, list[float]] = {user: [] for user in users}
    fresh: dict[str, list[float]] = {user: [] for user in users}
    scans: dict[str, list[float]] = {user: [] for user in users}
    for run in range(runs):
        asked = texts.queries(count, seed=run)
        command = serve_command(database.url)
        with running(command, cores={SERVER_CORE}, PRONOIA_WORKING_SET_BYTES=SMALLEST_BUDGET) as server:
            async with connected(server.port, 1) as client:
                in_turn = [
                    await client.one(request(SEARCH, {"query": query}, key=key, user=user))
                    for query in asked
                    for user in users
                ]
        for place, user in enumerate(users):
            dropped[user].append(statistics.median(in_turn[place :: len(users)]) * 1_000)
            with running(command, cores={SERVER_CORE}) as server:
                async with connected(server.port, 1) as client:
                    fresh[user].append(
                        await client.one(request(SEARCH, {"query": asked[0]}, key=key, user=user)) * 1_000
                    )
            scans[user].append(statistics.median(await database.scan(user, WARM_UP)) * 1_000)
        shown = ", ".join(
            f"{size:,}: {dropped[user][-1]:.0f} and {fresh[user][-1]:.0f} ms" for user, size in users.items()
        )
        progress(f"cold search, dropped and fresh, {run + 1}/{runs}: {shown}")
    return [
        Figure(
            name=f"search in {size:,}, cold, {kind}",
            unit="ms",
            runs=taken[user],
            beside="exact vector scan in PostgreSQL",
            beside_runs=scans[user],
            target=COLD_TARGET_MS if size == LARGEST else None,
        )
        for user, size in users.items()
        for kind, taken in (("working set dropped", dropped), ("first of a process", fresh))
    ]


async def _warm_latencies(port: int, requests: list[bytes]) -> list[float]:
    async with connected(port, 8) as client:
        await client.closed_loop(requests[:WARM_UP])
        return [one * 1_000 for one in await client.open_loop(requests[WARM_UP:], per_second=PER_SECOND)]
