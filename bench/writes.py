"""Durable writes through HTTP, beside bare inserts of the same texts and a vector into one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import texts
from bench.http_load import connected, request
from bench.report import Figure, progress

if TYPE_CHECKING:
    from bench.database import BareDatabase

CLIENTS = 32
BATCH = 100
BATCH_CLIENTS = 4
SINGLE = "/api/v1/memories"
MANY = "/api/v1/memories/batch"


async def single(database: BareDatabase, port: int, key: str, *, runs: int, count: int) -> list[Figure]:
    """Write one memory a request, 64 users at once."""
    ours: list[float] = []
    bare: list[float] = []
    for run in range(runs):
        bodies = texts.memories(count, seed=run)
        requests = [request(SINGLE, body, key=key, user=f"writer-{place % 64}") for place, body in enumerate(bodies)]
        async with connected(port, CLIENTS) as client:
            ours.append(count / await client.closed_loop(requests))
        await database.until_idle()
        bare.append(await database.insert([str(body["text"]) for body in bodies], at_once=1))
        progress(f"single writes {run + 1}/{runs}: {ours[-1]:,.0f}/s, bare {bare[-1]:,.0f}/s")
    return [
        Figure(
            name=f"durable single writes, {CLIENTS} clients",
            unit="/s",
            runs=ours,
            beside="bare inserts",
            beside_runs=bare,
            target=800,
            at_least=True,
        )
    ]


async def bulk(database: BareDatabase, port: int, key: str, *, runs: int, users: int, each: int) -> list[Figure]:
    """Write batches of 100 for new users, `each` memories a user; embedding included."""
    ours: list[float] = []
    bare: list[float] = []
    for run in range(runs):
        names = [name_of(run * users + place) for place in range(users)]
        made = {name: texts.memories(each, seed=place) for place, name in enumerate(names)}
        requests = [
            request(MANY, {"memories": bodies[start : start + BATCH]}, key=key, user=name)
            for start in range(0, each, BATCH)
            for name, bodies in made.items()
        ]
        async with connected(port, BATCH_CLIENTS) as client:
            ours.append(users * each / await client.closed_loop(requests))
        await database.until_idle()
        written = [str(body["text"]) for bodies in made.values() for body in bodies]
        bare.append(await database.insert(written, at_once=BATCH))
        progress(f"bulk {run + 1}/{runs}: {ours[-1]:,.0f} memories/s, bare {bare[-1]:,.0f}/s")
    return [
        Figure(
            name=f"bulk, batches of {BATCH}, embedding included",
            unit="memories/s",
            runs=ours,
            beside="bare inserts of 100 rows",
            beside_runs=bare,
            target=4_000,
            at_least=True,
        )
    ]


async def fill(database: BareDatabase, port: int, key: str, user: str, count: int) -> None:
    """Give a user memories, and wait until they are related."""
    bodies = texts.memories(count, seed=count)
    async with connected(port, 2) as client:
        await client.closed_loop(
            request(MANY, {"memories": bodies[start : start + BATCH]}, key=key, user=user)
            for start in range(0, count, BATCH)
        )
    await database.until_idle()


def name_of(number: int) -> str:
    """Name a user of the bulk writes."""
    return f"bulk-{number}"
