"""Two organisations whose users have the same names and texts know nothing of each other, however much one learns."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tenants import API, OWNER, make_tenant

from redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tenants import Tenant, World

    from redis_server import RedisServer

pytestmark = pytest.mark.anyio

TEXTS = ["tea at four", "cake at five", "the train at six", "a song at seven", "tea and cake again"]


class Twin:
    """One user named ada, of one organisation."""

    def __init__(self, world: World, tenant: Tenant, key: str) -> None:
        self.world = world
        self.tenant = tenant
        self.headers = {"X-API-Key": key}
        self.ids: list[str] = []

    async def call(self, method: str, path: str, **request: Any) -> Any:
        answer = await self.world.http.request(method, API + path, headers=self.headers, **request)
        assert answer.is_success, answer.text
        return answer.json()

    async def told(self) -> list[str]:
        """Give every answer that use could change, with ids as places and nothing that any answer has of its own."""
        answers = [
            await self.call("GET", "/memories?sort=asc"),
            await self.call("POST", "/memories/search", json={"query": "tea", "explain": True}),
            await self.call("POST", "/memories/predict", json={"context": "tea", "min_confidence": 0}),
            await self.call("POST", "/memories/predict", json={"min_confidence": 0}),
            await self.call("POST", "/memories/suggest", json={"context": "tea", "min_confidence": 0}),
            await self.call("GET", "/memories/meta/patterns"),
            await self.call("GET", "/learning/metrics"),
            await self.call("GET", "/learning/maintenance-suggestions"),
            await self.call("GET", "/relationships/types"),
        ]
        return [self._plain(answer) for answer in answers]

    def _plain(self, answer: dict[str, Any]) -> str:
        text = json.dumps(answer, sort_keys=True)
        for place, one in enumerate(self.ids):
            text = text.replace(one, f"memory {place}")
        # Asking is counted, too, as one's own.
        return re.sub(r'"total_searches": \d+', "", text)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(params=["no caches", "all caches", "Redis"])
async def twins(request: pytest.FixtureRequest, opening: Callable[..., Any]) -> AsyncIterator[tuple[Twin, Twin, World]]:
    match request.param:
        case "no caches":
            settings: dict[str, object] = {"cache_tiers": 0}
        case "all caches":
            settings = {"cache_tiers": 3}
        case _:
            settings = {"cache_tiers": 3, "cache_url": request.getfixturevalue("redis").url}
    async with opening(**settings) as world:
        made = []
        for _ in range(2):
            tenant = make_tenant()
            twin = Twin(world, tenant, await world.key(tenant, OWNER))
            made.append(twin)
            twin.ids = [(await twin.call("POST", "/memories", json={"text": text}))["id"] for text in TEXTS]
        yield (*made, world)


async def use_much(twin: Twin) -> None:
    first, second, *_ = twin.ids
    for _ in range(10):
        for memory in (first, second):
            await twin.call("GET", f"/memories/{memory}")
    for _ in range(3):
        await twin.call("POST", f"/memories/{first}/feedback", json={"helpful": True})
        await twin.call("POST", f"/memories/{second}/feedback", json={"helpful": False})
    body = {"memory_id": first, "related_memory_id": second, "relationship_type": "follows"}
    await twin.call("POST", "/relationships", json=body)
    for _ in range(3):
        await twin.call("POST", "/memories/search", json={"query": "tea", "learning_mode": True})
    await twin.call("POST", "/learning/analyze", json={"auto_apply": True})


async def test_what_one_learns_changes_no_answer_to_the_other(twins: tuple[Twin, Twin, World]):
    busy, quiet, _ = twins
    before = await quiet.told()
    assert [one == other for one, other in zip(before, await quiet.told(), strict=True)] == [True] * len(before)
    untouched = await busy.told()
    await use_much(busy)
    assert await busy.told() != untouched
    assert await quiet.told() == before


async def test_equal_questions_are_answered_from_ones_own_memory(twins: tuple[Twin, Twin, World]):
    busy, quiet, world = twins
    await use_much(busy)
    for asking, other in ((busy, quiet), (quiet, busy), (busy, quiet)):
        shown = " ".join(await asking.told())
        assert "memory 0" in shown
        assert [one for one in other.ids if one in shown] == []
    for one, other in ((busy, quiet), (quiet, busy)):
        kept = " ".join(await world.rows(one.tenant))
        assert [found for found in other.ids if found in kept or found.encode().hex() in kept] == []


async def test_forgetting_one_forgets_nothing_of_the_other(twins: tuple[Twin, Twin, World]):
    busy, quiet, _ = twins
    await use_much(busy)
    before = await quiet.told()
    await busy.call("DELETE", "/memories", params={"user_id": OWNER})
    assert await quiet.told() == before
    assert (await busy.call("GET", "/memories"))["total"] == 0
