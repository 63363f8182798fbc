"""What Redis holds of people as tier 2: of each their own, and of nobody what was erased or deleted."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from cache_makers import MAXIMUM_KEYS
from redis.asyncio import Redis
from workers import Worker, working

from pronoia.adapters.redis.cache_tier import PREFIX, RedisTier
from pronoia.domain.identifiers import Scope
from pronoia.ports.cache_tier import CacheEntry
from pronoia.services.caches import REST_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.testing.clock import ManualClock
    from redis_server import RedisServer

pytestmark = pytest.mark.anyio

CANARY = "Zanzibarine"
TEXTS = (f"The {CANARY} clock strikes twice", f"The {CANARY} clock strikes twice.", "Green tea in the morning")
KEPT_OUTSIDE = (
    "/learning/metrics?days=7",
    "/memories/meta/patterns?days=30",
    "/learning/maintenance-suggestions",
)
"""What is worth tier 2."""
KEYS = 30
SECONDS = 20


@pytest.fixture(autouse=True)
async def client(redis: RedisServer) -> AsyncIterator[Redis]:
    """Look into Redis, which is empty at first."""
    async with Redis.from_url(redis.url) as client:
        await client.flushall()
        yield client


async def held(client: Redis) -> dict[bytes, bytes]:
    """Give every key with all that it holds, as bytes."""
    read = {
        b"string": client.get,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"hash": client.hgetall,
    }
    keys = [key async for key in client.scan_iter(count=1_000)]
    values = [await read[await client.type(key)](key) for key in keys]
    return {
        key: value if isinstance(value, bytes) else repr(value).encode()
        for key, value in zip(keys, values, strict=True)
    }


def says(held: dict[bytes, bytes], *words: str) -> set[str]:
    """Name the words that are in a key or a value; ids also as bytes."""
    content = b"\n".join(part for item in held.items() for part in item)
    forms = {word: [word.encode()] for word in words}
    for word in words:
        if len(word) == len(str(uuid4())):
            forms[word] += [UUID(word).bytes, UUID(word).hex.encode()]
    return {word for word, written in forms.items() if any(one in content for one in written)}


def of(held: dict[bytes, bytes], organisation_id: UUID, user: str = "ada") -> dict[bytes, bytes]:
    place = PREFIX + Scope(organisation_id, user).digest
    return {key: value for key, value in held.items() if key.startswith(place)}


class Person:
    """Somebody named ada of an organisation of her own, who wrote TEXTS and asked for all that is kept outside."""

    def __init__(self, worker: Worker, organisation_id: UUID) -> None:
        self.worker = worker
        self.organisation_id = organisation_id
        self.ids: list[str] = []

    async def live(self) -> None:
        self.ids = [(await self.worker.remember(text))[0] for text in TEXTS]
        for _ in range(3):
            await self.worker.call("GET", f"/memories/{self.ids[0]}")
        await self.worker.call("POST", "/memories/search", json={"query": CANARY})
        await self.ask()

    async def ask(self) -> list[Any]:
        await self.worker.settle()
        answers = [(await self.worker.call("GET", path)).json() for path in KEPT_OUTSIDE]
        await self.worker.settle()
        return answers


@pytest.fixture
async def people(
    database_url: str, clock: ManualClock, redis: RedisServer, client: Redis
) -> AsyncIterator[tuple[Person, Person]]:
    """Give two people of the same name, each in a process of their own, with one Redis."""
    organisations = uuid4(), uuid4()
    async with (
        working(database_url, clock, organisations[0], cache_url=redis.url) as one,
        working(database_url, clock, organisations[1], cache_url=redis.url) as other,
    ):
        made = Person(one, organisations[0]), Person(other, organisations[1])
        for person in made:
            await person.live()
            # On a busy machine Redis may be too slow to be waited for, and is then left alone for a while.
            async with asyncio.timeout(SECONDS):
                while len(says(await held(client), *person.ids[:2])) < 2:
                    clock.advance(REST_SECONDS)
                    await person.ask()
        yield made


async def test_an_erased_person_is_not_in_redis_and_another_of_that_name_still_is(
    people: tuple[Person, Person], client: Redis
) -> None:
    erased, other = people
    before = await held(client)
    assert says(before, *erased.ids[:2], *other.ids[:2]) == {*erased.ids[:2], *other.ids[:2]}
    kept = of(before, other.organisation_id)
    assert of(before, erased.organisation_id)
    await erased.worker.call("DELETE", "/subjects?user_id=ada")
    after = await held(client)
    assert of(after, erased.organisation_id) == {}
    assert kept.items() <= after.items()
    assert says(after, *erased.ids) == set()
    assert says(before, CANARY) == {CANARY}
    theirs = of(after, other.organisation_id)
    assert says({key: value for key, value in after.items() if key not in theirs}, CANARY) == set()
    assert not any(re.search(rb"\bada\b", part) for item in after.items() for part in item)
    # What the index does not name could not be found when its owner is erased.
    index = await client.zrange(PREFIX.removesuffix(b":"), 0, -1)
    assert set(index) == {key for key in after if key.startswith(PREFIX)}


async def test_a_deleted_memory_is_not_in_redis(people: tuple[Person, Person], client: Redis) -> None:
    person, other = people
    for memory_id in person.ids[:2]:
        await person.worker.call("DELETE", f"/memories/{memory_id}")
    assert says(await held(client), *person.ids[:2], *other.ids[:2]) == set(other.ids[:2])
    answers = str(await person.ask())
    assert [one for one in person.ids[:2] if one in answers] == []


async def test_two_people_who_ask_the_same_are_each_told_their_own(people: tuple[Person, Person]) -> None:
    for one, other in (people, people[::-1], people):
        answers = str(await one.ask())
        assert one.ids[0] in answers
        assert [found for found in other.ids if found in answers] == []


async def test_an_answer_that_nobody_waited_for_is_given_to_nobody_else(redis: RedisServer, clock: ManualClock) -> None:
    tier = RedisTier(
        redis.url, name="2", lifetime_seconds=600, maximum_keys=MAXIMUM_KEYS + KEYS, timeout_seconds=20, clock=clock
    )
    owners = [Scope(uuid4(), "ada") for _ in range(KEYS)]
    for owner in owners:
        expires_at = clock.now().timestamp() + 600
        await tier.put(owner, b"key", CacheEntry(owner.organisation_id.bytes, expires_at))
    with redis.frozen():
        late = [asyncio.create_task(tier.get(owner, b"key")) for owner in owners]
        for task in late:
            await asyncio.sleep(0)
            task.cancel()
        # Each has left its connection, or goes on waiting, by the time that the answers come.
        await asyncio.sleep(0)
    for entry, owner in zip(await asyncio.gather(*late, return_exceptions=True), owners, strict=True):
        assert not isinstance(entry, CacheEntry) or entry.value == owner.organisation_id.bytes
    found = await asyncio.gather(*(tier.get(owner, b"key") for owner in owners))
    assert [one.value for one in found if one] == [owner.organisation_id.bytes for owner in owners]
    await tier.close()
