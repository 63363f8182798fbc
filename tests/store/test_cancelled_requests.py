"""Callers of two organisations who give up in the middle, through PgBouncer with two connections and without it."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from store_makers import OPEN_TRANSACTIONS, SECONDS, until

from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.records import Permission, Plan
from pronoia.faces.http.application import create_http_app
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pgbouncer import Way

pytestmark = pytest.mark.anyio

API = "/api/v1"
SEED = random.SystemRandom().randrange(1 << 32)
REQUESTS = 100
MOST_TURNS = 200
"""Of the event loop, after which a request is cancelled."""
CANARIES = ("canaryone", "canarytwo")


@asynccontextmanager
async def callers(way: Way) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Serve without caches, so that each answer comes out of the database, and give a client of each organisation."""
    settings = read_settings(
        {},
        database_url=way.url,
        database_pooler=way.pooler,
        database_direct_url=way.direct_url,
        learning_schedule=False,
        cache_tiers=0,
        working_set_bytes=1 << 20,
    )
    clock, telemetry = ManualClock(), open_telemetry()
    async with open_services(settings, clock, telemetry=telemetry) as services:
        services.resilience._degradation.observe = lambda _: None
        transport = httpx2.ASGITransport(app=create_http_app(services, settings, clock.now, telemetry=telemetry))
        clients: list[httpx2.AsyncClient] = []
        for _ in range(2):
            _, key = await services.keys.create(
                user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=uuid4()
            )
            clients.append(
                httpx2.AsyncClient(transport=transport, base_url="http://server", headers={"X-API-Key": key})
            )
        yield clients


def some_request(chance: random.Random, canary: str) -> dict[str, Any]:
    return chance.choice(
        [
            {"method": "POST", "url": f"{API}/memories", "json": {"text": f"{canary} sings"}},
            {"method": "GET", "url": f"{API}/memories"},
            {"method": "GET", "url": f"{API}/organisation"},
            {"method": "POST", "url": f"{API}/memories/search", "json": {"query": "who sings"}},
            {"method": "GET", "url": f"{API}/users"},
        ]
    )


async def give_up(task: asyncio.Task[httpx2.Response], turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()


async def test_a_storm_of_cancelled_requests_crosses_nothing_and_leaves_nothing_open(
    way: Way, administrator: asyncpg.Connection
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - no secret
    print(f"seed {SEED}")  # noqa: T201 - pytest shows it when the test fails
    async with callers(way) as clients:
        for client, canary in zip(clients, CANARIES, strict=True):
            await client.patch(f"{API}/organisation", json={"name": canary})
            await client.post(f"{API}/memories", json={"text": f"{canary} sings"})

        async def call(number: int) -> httpx2.Response:
            return await clients[number % 2].request(**some_request(chance, CANARIES[number % 2]))

        tasks = [asyncio.create_task(call(number)) for number in range(REQUESTS)]
        await asyncio.gather(*(give_up(task, chance.randrange(MOST_TURNS)) for task in tasks[::2] + tasks[1::4]))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        cancelled = [one for one in answers if isinstance(one, asyncio.CancelledError)]
        assert len(cancelled) > REQUESTS // 10
        for number, answer in enumerate(answers):
            if isinstance(answer, httpx2.Response):
                assert answer.is_success, answer.text
                assert CANARIES[1 - number % 2] not in answer.text
            else:
                assert isinstance(answer, asyncio.CancelledError)
        for number, client in enumerate(clients):
            listed = await client.get(f"{API}/memories?limit=1000")
            assert {one["text"] for one in listed.json()["memories"]} == {f"{CANARIES[number]} sings"}
        await until(administrator, OPEN_TRANSACTIONS, 0)
        assert await tenants_left_behind(way) == set()
    print(f"requests {REQUESTS}, cancelled {len(cancelled)}, crossings 0")  # noqa: T201 - the report


async def tenants_left_behind(way: Way) -> set[str]:
    """Name the organisations that a session still stands for after its transaction."""
    sessions = await asyncpg.create_pool(way.url, min_size=4, max_size=4, statement_cache_size=0, timeout=SECONDS)
    try:
        asked = [sessions.fetchval("select current_setting('app.tenant', true)") for _ in range(20)]
        return {tenant for tenant in await asyncio.gather(*asked) if tenant}
    finally:
        await sessions.close()
