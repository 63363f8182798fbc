"""What every tier must do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from cache_makers import LIFETIME, MAXIMUM_KEYS, new_owner

from pronoia.domain.identifiers import Scope
from pronoia.ports.cache_tier import CacheEntry

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.ports.cache_tier import CacheTier
    from pronoia.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


def entry(clock: ManualClock, value: bytes = b"value", seconds: float = LIFETIME) -> CacheEntry:
    return CacheEntry(value, clock.now().timestamp() + seconds, cost_seconds=0.25)


async def test_what_was_put_is_found_byte_for_byte_with_what_it_cost(
    tier: CacheTier, owner: Scope, clock: ManualClock
) -> None:
    assert await tier.get(owner, b"key") is None
    kept = entry(clock, bytes(range(256)) * 10)
    await tier.put(owner, b"key", kept)
    assert await tier.get(owner, b"key") == kept
    assert await tier.get(owner, b"other") is None


async def test_a_value_that_is_put_again_is_replaced(tier: CacheTier, owner: Scope, clock: ManualClock) -> None:
    for value in (b"one", b"two"):
        await tier.put(owner, b"key", entry(clock, value))
    found = await tier.get(owner, b"key")
    assert found is not None
    assert found.value == b"two"
    assert (await tier.clean()).entries == 1


async def test_a_value_lives_as_long_as_it_was_given(tier: CacheTier, owner: Scope, clock: ManualClock) -> None:
    await tier.put(owner, b"key", entry(clock))
    clock.advance(LIFETIME - 1)
    assert await tier.get(owner, b"key") is not None
    clock.advance(1)
    assert await tier.get(owner, b"key") is None
    assert (await tier.clean()).entries == 0


async def test_no_other_owner_finds_it_not_even_of_the_same_name(
    tier: CacheTier, owner: Scope, clock: ManualClock, database: Database
) -> None:
    await tier.put(owner, b"key", entry(clock))
    namesake = await new_owner(database, clock)
    for other in (namesake, Scope(owner.organisation_id, "eve"), Scope(owner.organisation_id, "")):
        assert await tier.get(other, b"key") is None


async def test_forgetting_an_owner_leaves_the_others(
    tier: CacheTier, owner: Scope, clock: ManualClock, database: Database
) -> None:
    other = await new_owner(database, clock)
    for key in (b"one", b"two"):
        await tier.put(owner, key, entry(clock))
        await tier.put(other, key, entry(clock))
    await tier.forget(owner)
    assert [await tier.get(owner, key) for key in (b"one", b"two")] == [None, None]
    assert await tier.get(other, b"one") is not None


async def test_cleaning_keeps_the_bounds_and_says_what_is_left(
    tier: CacheTier, owner: Scope, clock: ManualClock
) -> None:
    for number in range(MAXIMUM_KEYS + 10):
        await tier.put(owner, b"%d" % number, entry(clock, bytes(100), LIFETIME + number))
    assert tier.clean_seconds <= 120
    size = await tier.clean()
    assert size.entries == MAXIMUM_KEYS
    assert size.nbytes >= 100 * MAXIMUM_KEYS
    assert await tier.get(owner, b"%d" % (MAXIMUM_KEYS + 9)) is not None
    assert await tier.get(owner, b"0") is None


async def test_a_value_that_is_too_large_is_not_kept(tier: CacheTier, owner: Scope, clock: ManualClock) -> None:
    await tier.put(owner, b"key", entry(clock, bytes(1 << 19)))
    assert await tier.get(owner, b"key") is None


async def test_many_may_write_and_clean_at_once(tier: CacheTier, owner: Scope, clock: ManualClock) -> None:
    async def write(number: int) -> None:
        for key in (b"one", b"two", b"three"):
            await tier.put(owner, key, entry(clock, b"%d" % number))
            await tier.clean()

    await asyncio.gather(*(write(number) for number in range(8)))
    found = [await tier.get(owner, key) for key in (b"one", b"two", b"three")]
    assert all(one is not None and int(one.value) in range(8) for one in found)
