from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.errors import InvalidCredentialError, MissingCredentialError
from pronoia.domain.records import Permission, Plan
from pronoia.services.key_format import _checksum
from pronoia.services.keys import CACHE_SECONDS, Keys
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.domain.records import ApiKey
    from pronoia.ports.key_store import FoundKey

pytestmark = pytest.mark.anyio
ORGANISATION = uuid4()


class CountingStore(PostgresKeyStore):
    finds = 0

    async def find(self, key_id: str) -> FoundKey | None:
        self.finds += 1
        return await super().find(key_id)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[CountingStore]:
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    yield CountingStore(database)
    await database.close()


async def make(keys: Keys) -> tuple[ApiKey, str]:
    return await keys.create(user_id="ada", plan=Plan.PRO, permissions=[Permission.READ], organisation_id=ORGANISATION)


async def test_a_key_is_recognised_and_its_secret_is_not_kept(store: CountingStore) -> None:
    key, text = await make(Keys(store=store, clock=ManualClock()))
    assert await Keys(store=store, clock=ManualClock()).authenticate(text) == key
    assert text.split("_")[2].encode() not in key.secret_hash


async def test_authenticating_again_asks_the_store_once_in_three_seconds(store: CountingStore) -> None:
    clock = ManualClock()
    keys = Keys(store=store, clock=clock)
    _, text = await make(keys)
    for _ in range(3):
        await keys.authenticate(text)
    assert store.finds == 1
    clock.advance(CACHE_SECONDS)
    await keys.authenticate(text)
    assert store.finds == 2


async def test_a_hundred_who_come_with_a_key_at_once_ask_the_store_once(store: CountingStore) -> None:
    keys = Keys(store=store, clock=ManualClock())
    key, text = await make(keys)
    assert await asyncio.gather(*(keys.authenticate(text) for _ in range(100))) == [key] * 100
    assert store.finds == 1


async def test_a_revoked_key_is_refused_here_at_once_and_elsewhere_after_three_seconds(store: CountingStore) -> None:
    clock = ManualClock()
    here, elsewhere = Keys(store=store, clock=clock), Keys(store=store, clock=clock)
    key, text = await make(here)
    await here.authenticate(text)
    await elsewhere.authenticate(text)
    await here.revoke(ORGANISATION, key.id)
    with pytest.raises(InvalidCredentialError):
        await here.authenticate(text)
    clock.advance(CACHE_SECONDS)
    with pytest.raises(InvalidCredentialError):
        await elsewhere.authenticate(text)


async def test_what_is_no_key_is_refused_without_a_query(store: CountingStore) -> None:
    keys = Keys(store=store, clock=ManualClock())
    _, text = await make(keys)
    mistyped = text[:-10] + ("a" if text[-10] != "a" else "b") + text[-9:]
    for wrong in ("x", text + "\n", text[1:], mistyped, "pronoia_é"):
        with pytest.raises(InvalidCredentialError):
            await keys.authenticate(wrong)
    for missing in (None, ""):
        with pytest.raises(MissingCredentialError):
            await keys.authenticate(missing)
    assert store.finds == 0


async def test_a_well_formed_key_of_another_server_is_refused(store: CountingStore) -> None:
    keys = Keys(store=store, clock=ManualClock())
    key, text = await make(keys)
    _, other = await make(keys)
    assert key.id not in other
    secret = other.split("_")[2]
    with pytest.raises(InvalidCredentialError):
        await keys.authenticate(f"pronoia_{key.id}_{secret}_{_checksum(key.id, secret)}")
    with pytest.raises(InvalidCredentialError):
        await keys.authenticate(f"pronoia_{'0' * 12}_{secret}_{_checksum('0' * 12, secret)}")
    assert (await keys.authenticate(text)).id == key.id
