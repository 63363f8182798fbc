"""What cache tiers cost and find: answers computed and kept, and the load mix of an hour in minutes.

Workers are simulated: each has services and an application of its own, on one database; time is the load's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

import httpx2
from harness import postgres

from pronoia.adapters.redis.cache_tier import RedisTier
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.benchmark.load.texts import WORDS, sentence
from pronoia.config import read_settings
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope
from pronoia.domain.records import Permission, Plan
from pronoia.faces.http.application import create_http_app
from pronoia.ports.cache_tier import CacheEntry
from pronoia.resilience.clock import SystemClock
from pronoia.services.answers import MAINTENANCE, METRICS, PATTERNS, PREDICT, SEARCH, SUGGEST
from pronoia.services.drafts import Draft
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from pronoia.ports.cache_tier import CacheTier
    from pronoia.ports.clock import Clock
    from pronoia.services.services import Services

API = "/api/v1"
RATE = 1.5
"""Requests of a user a second."""
MIX = (("predict", 40), ("suggest", 30), ("search", 20), ("maintenance", 5), ("metrics", 5))
KINDS = {one.name: one for one in (PREDICT, SUGGEST, SEARCH, MAINTENANCE, METRICS, PATTERNS)}


class Worker:
    """One process's services, and its routes."""

    def __init__(self, services: Services, http: httpx2.AsyncClient, secret: str) -> None:
        self.services = services
        self._http = http
        self._secret = secret

    async def call(self, user: str, method: str, path: str, request: dict[str, Any]) -> None:
        """Ask as a user."""
        headers = {"X-API-Key": self._secret, "X-User-ID": user}
        answer = await self._http.request(method, API + path, headers=headers, **request)
        answer.raise_for_status()


@asynccontextmanager
async def working(database_url: str, clock: Clock, secret: str = "") -> AsyncIterator[Worker]:
    settings = read_settings({}, database_url=database_url, learning_schedule=False)
    async with open_services(settings, clock) as services:
        if not secret:
            _, secret = await services.keys.create(
                user_id=None, plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=DEFAULT_ORGANISATION
            )
        transport = httpx2.ASGITransport(app=create_http_app(services, settings, clock.now, telemetry=open_telemetry()))
        async with httpx2.AsyncClient(transport=transport, base_url="http://worker") as http:
            yield Worker(services, http, secret)


def asking(kind: str, number: int, recent: list[UUID]) -> tuple[str, str, dict[str, Any]]:
    """Give the question of a kind that a user has under a number."""
    words = " ".join(WORDS[(number * step + step) % len(WORDS)] for step in (1, 7, 13))
    match kind:
        case "predict":
            named = json.dumps([str(one) for one in recent])
            return "GET", "/memories/predict", {"params": {"current_context": words, "recent_memories": named}}
        case "suggest":
            return "POST", "/memories/suggest", {"json": {"context": words, "include_reasoning": True, "limit": 5}}
        case "search":
            body = {"query": words, "limit": 10, "weight_by_usage": True, "adaptive_weights": True}
            return "POST", "/memories/search", {"json": body}
        case "maintenance":
            return "GET", "/learning/maintenance-suggestions", {}
        case "patterns":
            return "GET", "/memories/meta/patterns", {}
        case _:
            return "GET", "/learning/metrics", {"params": {"days": (7, 30, 90)[number % 3]}}


async def fill(worker: Worker, users: int, memories: int) -> dict[str, list[UUID]]:
    """Give each user memories, of which some were used; say which three they have in hand."""
    recent: dict[str, list[UUID]] = {}
    for number in range(users):
        scope = Scope(DEFAULT_ORGANISATION, f"user-{number}")
        ids: list[UUID] = []
        for first in range(0, memories, 100):
            drafts = [Draft(sentence(one)) for one in range(first, min(first + 100, memories))]
            ids += [memory.id for memory in (await worker.services.memories.add(scope, drafts)).memories]
        for use in range(100):
            await worker.services.recall.get(scope, ids[use * use % len(ids)])
        recent[scope.user_id] = ids[:3]
    await worker.services.recall._uses.flush()  # noqa: SLF001 - a bench may wait for what is behind the requests
    return recent


async def milliseconds(call: Callable[[], Awaitable[object]], times: int) -> float:
    await call()
    taken: list[float] = []
    for _ in range(times):
        started = perf_counter()
        await call()
        taken.append(perf_counter() - started)
    return 1_000 * median(taken)


async def costs(database_url: str, memories: int) -> dict[str, Any]:
    """Measure each kind computed and kept, and what a tier takes to give and to take 10 kB."""
    answers: dict[str, Any] = {}
    async with working(database_url, SystemClock()) as worker:
        recent = await fill(worker, 1, memories)
        caches = worker.services.caches
        tiers = caches._tiers  # noqa: SLF001 - a bench
        await asyncio.sleep(3)
        for kind in KINDS:
            question = ("user-0", *asking(kind, 1, recent["user-0"]))
            kept = await milliseconds(lambda question=question: worker.call(*question), 50)
            caches._tiers = []  # noqa: SLF001
            computed = await milliseconds(lambda question=question: worker.call(*question), 20)
            caches._tiers = tiers  # noqa: SLF001
            answers[kind] = {"computed": computed, "tier_1": kept}
        async with redis_tier() as redis:
            named = {"1": tiers[0]._tier, "2": tiers[1]._tier, "3": tiers[2]._tier, "2 (Redis)": redis}  # noqa: SLF001
            taken = {name: await tier_costs(tier) for name, tier in named.items() if tier is not None}
    return {"request_milliseconds": answers, "tier_milliseconds": taken}


async def tier_costs(tier: CacheTier) -> dict[str, float]:
    owner, entry = Scope(DEFAULT_ORGANISATION, "user-0"), CacheEntry(bytes(10_000), time() + 60)
    put = await milliseconds(lambda: tier.put(owner, b"key", entry), 200)
    return {"get": await milliseconds(lambda: tier.get(owner, b"key"), 200), "put": put}


@asynccontextmanager
async def redis_tier() -> AsyncIterator[RedisTier | None]:
    """Run a Redis where there is one."""
    if shutil.which("redis-server") is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        place = f"{folder}/redis.sock"
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - Debian's
            ["redis-server", "--port", "0", "--unixsocket", place, "--save", ""],  # noqa: S607
            stdout=subprocess.DEVNULL,
        )
        while not Path(place).exists():  # noqa: ASYNC110, ASYNC240 - a bench
            await asyncio.sleep(0.01)
        tier = RedisTier(
            f"unix://{place}", name="2", lifetime_seconds=60, maximum_keys=5_000, timeout_seconds=1, clock=SystemClock()
        )
        yield tier
        await tier.close()
        process.terminate()
        process.wait(10)


async def rates(database_url: str, options: argparse.Namespace) -> dict[str, Any]:
    """Play the mix to the workers in turn, and say what each tier found of what reached it."""
    draw = random.Random(options.seed)  # noqa: S311 - a load
    clock = ManualClock()
    names, weights = zip(*MIX, strict=True)
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(working(database_url, clock))]
        recent = await fill(workers[0], options.users, options.memories)
        secret = workers[0]._secret  # noqa: SLF001
        while len(workers) < options.workers:
            workers.append(await stack.enter_async_context(working(database_url, clock, secret)))
        clock.advance(3_600)
        await asyncio.sleep(5)
        rate = options.users * RATE
        for _ in range(round(options.minutes * 60 * rate)):
            clock.advance(1 / rate)
            (kind,) = draw.choices(names, weights)
            user = f"user-{draw.randrange(options.users)}"
            question = asking(kind, draw.randrange(options.questions), recent[user])
            await draw.choice(workers).call(user, *question)
        for worker in workers:
            await worker.services.caches.settled()
        return summary(workers)


def summary(workers: list[Worker]) -> dict[str, Any]:
    found, missed = (
        sum(
            (getattr(worker.services.caches, counts) for worker in workers[1:]),
            getattr(workers[0].services.caches, counts),
        )
        for counts in ("_found", "_missed")
    )
    table: dict[str, dict[str, float]] = {}
    for name in [*[name for name, _ in MIX], "all"]:
        row: dict[str, float] = {}
        hits = 0
        for tier in "123":
            here, not_here = (
                sum(count for (kind, at), count in counts.items() if at == tier and name in (kind, "all"))
                for counts in (found, missed)
            )
            if here + not_here:
                row[tier] = here / (here + not_here)
                row[f"reached {tier}"] = here + not_here
            hits += here
        row["combined"] = hits / row["reached 1"]
        table[name] = row
    return table


async def run(options: argparse.Namespace) -> dict[str, Any]:
    async with postgres() as database_url:
        if options.what == "costs":
            return await costs(database_url, options.memories)
        return await rates(database_url, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("costs", "rates"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=int, default=30, help="of the load's time")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--memories", type=int, default=1_000, help="of a user")
    parser.add_argument("--questions", type=int, default=10, help="that a user has of each kind")
    parser.add_argument("--seed", type=int, default=0)
    print(json.dumps(asyncio.run(run(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
