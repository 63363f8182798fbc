"""The whole server behind PgBouncer in transaction mode with two connections, and the same without it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import RunningServer
    from pgbouncer import Way

pytestmark = pytest.mark.anyio
API = "/api/v1"
CLIENTS = 20
READS = 5


@pytest.fixture(scope="module")
def running(way: Way, serve: Callable[..., object]) -> Iterator[RunningServer]:
    settings = {
        "PRONOIA_DATABASE_URL": way.url,
        "PRONOIA_DATABASE_POOLER": str(way.pooler),
        "PRONOIA_DATABASE_DIRECT_URL": way.direct_url,
        # Else most answers would come out of the process.
        "PRONOIA_CACHE_TIERS": "0",
        "PRONOIA_WORKING_SET_BYTES": str(1 << 20),
    }
    with serve(way.direct_url, **settings) as running:
        yield running


async def _keys_of_two_organisations(way: Way) -> list[str]:
    database = await way.open(connections=2)
    keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
    made = [
        await keys.create(user_id=None, plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=uuid4())
        for _ in range(2)
    ]
    await database.close()
    return [secret for _, secret in made]


async def test_users_of_two_organisations_never_meet_and_queries_are_timed_by_name(
    way: Way, running: RunningServer
) -> None:
    keys = await _keys_of_two_organisations(way)
    async with httpx2.AsyncClient(base_url=running.url, timeout=30) as client:

        async def live(number: int) -> None:
            canary = f"canary{number}"
            headers = {"X-Service-Token": keys[number % 2], "X-User-ID": f"user {number // 2}"}
            answer = await client.post(f"{API}/memories", headers=headers, json={"text": f"My {canary} sings"})
            assert answer.status_code == 201, answer.text
            memory_id = answer.json()["id"]
            for _ in range(READS):
                answer = await client.post(f"{API}/memories/search", headers=headers, json={"query": "canary sings"})
                assert [one["text"] for one in answer.json()["memories"]] == [f"My {canary} sings"]
                answer = await client.get(f"{API}/memories", headers=headers)
                assert [one["text"] for one in answer.json()["memories"]] == [f"My {canary} sings"]
            answer = await client.post(f"{API}/memories/{memory_id}/feedback", headers=headers, json={"helpful": True})
            assert answer.status_code == 200, answer.text
            stranger = {**headers, "X-Service-Token": keys[1 - number % 2]}
            assert (await client.get(f"{API}/memories/{memory_id}", headers=stranger)).status_code == 404
            answer = await client.delete(f"{API}/memories/{memory_id}", headers=headers)
            assert answer.status_code < 300, answer.text

        await asyncio.gather(*(live(number) for number in range(CLIENTS)))
        assert (await client.get("/health/ready")).status_code == 200
        shown = (await client.get("/metrics")).text.splitlines()
    timed = [line for line in shown if line.startswith("db_query_duration_seconds_count{")]
    for name in ("add_memories", "load_memories", "judge_memory", "delete_memory", "find_key"):
        assert any(f'query_type="{name}"' in line for line in timed), name
