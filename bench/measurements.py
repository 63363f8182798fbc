"""What is measured. Each gives figures by name; the runner takes medians of five."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from harness import PRONOIA, SERVER_CORE, Server, bare_inserts, fill, free_port, serving, until_answered

from pronoia.adapters.postgres.driver import connect
from pronoia.benchmark.load.texts import sentence
from pronoia.domain.identifiers import Scope
from pronoia.prediction.blend import SharedBlend
from pronoia.prediction.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENTS = 16
PREDICT = "/api/v1/memories/predict"
Figures = dict[str, float]


async def search(server: Server, user: str, queries: int, run: int) -> Figures:
    """Search a user's memory that is in the process, each time for something that no run searched for before."""
    bodies = [{"query": f"{sentence(number)[-40:]} {run} {number}"} for number in range(queries)]
    return await _ask(server, user, "/api/v1/memories/search", bodies)


async def use(server: Server, user: str, uses: int) -> None:
    """Get a user's memories, some far more often than others."""
    async with server.connection() as connection:
        listed = await connection.send(connection.request("GET", "/api/v1/memories?limit=500", user=user))
        ids = [one["id"] for one in json.loads(listed)["memories"]]
        draw = Random(0)  # noqa: S311 - no secret
        for _ in range(uses):
            chosen = ids[int(len(ids) * draw.random() ** 3)]
            await connection.send(connection.request("GET", f"/api/v1/memories/{chosen}", user=user))


async def predict(server: Server, user: str, queries: int) -> Figures:
    """Ask what comes next, each time with another limit of confidence so that no answer was given before."""
    bodies = [{"min_confidence": (number + 1) * 1e-6} for number in range(queries)]
    return await _ask(server, user, PREDICT, bodies)


async def predict_after_use(server: Server, user: str, queries: int) -> Figures:
    """Ask what comes next just after a use, which is learned from first. Nothing of an earlier prediction is kept."""
    async with server.connection() as connection:
        listed = await connection.send(connection.request("GET", "/api/v1/memories?limit=1", user=user))
        used = connection.request("GET", f"/api/v1/memories/{json.loads(listed)['memories'][0]['id']}", user=user)
        predicted = connection.request("POST", PREDICT, {}, user)
        taken: list[float] = []
        for _ in range(queries):
            await connection.send(used)
            taken.append(await connection.timed(predicted))
    return {"milliseconds": median(taken) * 1e3}


async def suggest(server: Server, user: str, queries: int, run: int) -> Figures:
    """Ask for suggestions, each time in a context that no run asked in before."""
    bodies = [{"context": f"{sentence(number)[-40:]} {run} {number}"} for number in range(queries)]
    return await _ask(server, user, "/api/v1/memories/suggest", bodies)


async def _ask(server: Server, user: str, path: str, bodies: Sequence[object]) -> Figures:
    """Ask one request at a time, beside a route that does nothing."""
    async with server.connection() as connection:
        first, *requests = [connection.request("POST", path, body, user) for body in bodies]
        nothing = connection.request("GET", "/health")
        await connection.send(first)
        asked = median([await connection.timed(request) for request in requests])
        answered = median([await connection.timed(nothing) for _ in requests])
    return {"milliseconds": asked * 1e3, "ratio": asked / answered}


def update(memories: int, events: int, uses: int) -> Figures:
    """Learn from uses one by one: what the server does, behind the request, after each."""
    draw = Random(0)  # noqa: S311 - no secret
    items = [*range(memories), *(int(memories * draw.random() ** 3) for _ in range(events + uses - memories))]
    times = [600.0 * number for number in range(len(items))]
    model = Model(SharedBlend(), Scope(UUID(int=1), "bench"))
    model.replay(np.array(items[:events], dtype=np.int32), np.array(times[:events]))
    taken: list[float] = []
    for item, at in zip(items[events:], times[events:], strict=True):
        started = perf_counter()
        model.observe(item, at)
        taken.append(perf_counter() - started)
    return {"milliseconds": median(taken) * 1e3}


async def exact_scan(database_url: str, user: str, queries: int) -> Figures:
    """Find the nearest ten in PostgreSQL, without rights: what the working set saves."""
    connection = await connect(database_url, timeout_seconds=60)
    await connection.execute("set enable_indexscan = off; set enable_bitmapscan = on")
    statement = (
        "select id from memories where user_id = $1 "
        "order by embedding <#> (select embedding from memories where user_id = $1 limit 1) limit 10"
    )
    times: list[float] = []
    for _ in range(queries):
        started = perf_counter()
        await connection.fetch(statement, user)
        times.append(perf_counter() - started)
    await connection.close()
    return {"milliseconds": median(times) * 1e3}


async def cold_search(database_url: str, user: str) -> Figures:
    """Search in a process that has not seen the user: load the working set and answer."""
    async with serving(database_url) as server, server.connection() as connection:
        await connection.send(connection.request("GET", "/api/v1/memories?limit=1", user="somebody else"))
        request = connection.request("POST", "/api/v1/memories/search", {"query": "coffee by the river"}, user)
        cold = await connection.timed(request)
        warm = median([await connection.timed(request) for _ in range(20)])
    return {"milliseconds": cold * 1e3, "ratio": cold / warm}


async def single_writes(server: Server, writes: int) -> Figures:
    """Store memories one by one for many users, beside bare inserts with as many clients."""

    async def write(client: int) -> None:
        async with server.connection() as connection:
            for number in range(writes // CLIENTS):
                body = {"text": sentence(number * CLIENTS + client)}
                await connection.send(connection.request("POST", "/api/v1/memories", body, f"writer {client}"))

    started = perf_counter()
    await asyncio.gather(*(write(client) for client in range(CLIENTS)))
    ours = writes / (perf_counter() - started)
    started = perf_counter()
    await bare_inserts(server.database_url, CLIENTS, writes)
    bare = writes / (perf_counter() - started)
    return {"per second": ours, "ratio": ours / bare}


async def bulk_writes(server: Server, memories: int, user: str) -> Figures:
    """Store memories a hundred at once, embedding included."""
    started = perf_counter()
    await asyncio.gather(*(fill(server, f"{user} {client}", memories // 2) for client in range(2)))
    return {"per second": memories / (perf_counter() - started)}


async def start(folder: Path) -> Figures:
    """Start the server with its own PostgreSQL, and stop it: seconds to the first answer that needs the database."""
    port = free_port()
    started = perf_counter()
    process = subprocess.Popen(  # noqa: ASYNC220, S603  # our own program
        [PRONOIA, "serve", "--data", folder, "--port", str(port)], stderr=subprocess.DEVNULL
    )
    await until_answered(port)
    answered = perf_counter() - started
    process.terminate()
    process.wait(30)
    return {"seconds": answered, "stopped after": perf_counter() - started - answered}


async def starts() -> tuple[Figures, Figures]:
    """Start on an empty folder, then again on the same."""
    with TemporaryDirectory(prefix="pronoia-bench-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        return await start(data), await start(data)


async def memory(database_url: str, users: int, memories: int) -> tuple[Figures, Figures]:
    """Measure resident memory after the first answer, and with the working sets of many users."""
    async with serving(database_url) as server:
        rest = server.memory_bytes()
        for number in range(users):
            await fill(server, f"resident {number}", memories)
    async with serving(database_url) as server, server.connection() as connection:
        for number in range(users):
            await connection.send(
                connection.request("POST", "/api/v1/memories/search", {"query": "coffee"}, f"resident {number}")
            )
        warm = server.memory_bytes()
    vectors = users * memories * 256 * 4
    return {"MiB": rest / 2**20}, {"MiB": warm / 2**20, "ratio": (warm - rest) / vectors}


def pin_to_server_core() -> None:
    """Let what is started now share the server's core."""
    os.sched_setaffinity(0, {SERVER_CORE})
