from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import NOW, key

from pronoia.adapters.postgres.organisation_store import PostgresUserStore
from pronoia.domain.errors import NotFoundError
from pronoia.domain.records import Permission, Plan
from pronoia.domain.roles import Role
from pronoia.ports.key_store import FoundKey, KeyUse

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.records import ApiKey

pytestmark = pytest.mark.anyio


async def test_a_key_is_found_by_its_id_alone_with_every_field(keys: PostgresKeyStore) -> None:
    created = key(
        uuid4(), "k1", user_id="ada", plan=Plan.TEAM, permissions=frozenset(Permission), last_used_at=NOW,
        expires_at=NOW, previous_secret_hash=b"\x08" * 32, previous_valid_until=NOW,
    )  # fmt: skip
    await keys.create(created)
    await keys.create(key(uuid4(), "k2"))
    assert await keys.find("k1") == FoundKey(created, None)
    assert await keys.get(created.organisation_id, "k1") == created
    assert await keys.find("k3") is None


async def test_an_organisation_lists_its_own_keys_oldest_first(keys: PostgresKeyStore) -> None:
    organisation_id = uuid4()
    newer = key(organisation_id, "a", created_at=NOW + timedelta(days=1))
    older = key(organisation_id, "b")
    for one in (newer, older, key(uuid4())):
        await keys.create(one)
    assert await keys.listed(organisation_id, None, 10) == [older, newer]
    assert await keys.listed(organisation_id, None, 1) == [older]
    assert await keys.listed(organisation_id, older.id, 1) == [newer]
    assert await keys.listed(uuid4(), None, 10) == []


async def test_what_a_change_makes_of_a_key_is_stored(keys: PostgresKeyStore) -> None:
    created = key(uuid4())
    await keys.create(created)
    wanted = replace(
        created, secret_hash=b"new", revoked_at=NOW, expires_at=NOW, previous_secret_hash=b"old",
        previous_valid_until=NOW,
    )  # fmt: skip
    assert await keys.change(created.organisation_id, created.id, lambda _: wanted) == wanted
    assert await keys.find(created.id) == FoundKey(wanted, None)


async def test_changes_of_one_key_wait_for_each_other(keys: PostgresKeyStore) -> None:
    created = key(uuid4(), secret_hash=b"")
    await keys.create(created)

    def longer(one: ApiKey) -> ApiKey:
        return replace(one, secret_hash=one.secret_hash + b"x")

    await asyncio.gather(*(keys.change(created.organisation_id, created.id, longer) for _ in range(20)))
    assert (await keys.get(created.organisation_id, created.id)).secret_hash == b"x" * 20


async def test_another_organisation_can_neither_see_nor_change_a_key(keys: PostgresKeyStore) -> None:
    created = key(uuid4())
    await keys.create(created)
    for attempt in (keys.get(uuid4(), created.id), keys.change(uuid4(), created.id, lambda one: one)):
        with pytest.raises(NotFoundError):
            await attempt
    assert await keys.get(created.organisation_id, created.id) == created


async def test_the_last_use_of_keys_of_any_organisation_is_noted_once_a_minute(keys: PostgresKeyStore) -> None:
    one, other = key(uuid4()), key(uuid4())
    await keys.create(one)
    await keys.create(other)

    async def use(second: int) -> list[datetime | None]:
        at = NOW + timedelta(seconds=second)
        await keys.record_uses([KeyUse(each.organisation_id, each.id, at) for each in (one, other)])
        return [(await keys.get(each.organisation_id, each.id)).last_used_at for each in (one, other)]

    assert await use(0) == [NOW] * 2
    assert await use(59) == [NOW] * 2
    assert await use(60) == [NOW + timedelta(seconds=60)] * 2


async def test_a_key_is_found_with_the_role_of_its_user(keys: PostgresKeyStore, database: Database) -> None:
    users = PostgresUserStore(database)
    created = key(uuid4(), user_id="ada")
    await keys.create(created)
    await users.set_role(created.organisation_id, "bob", Role.ADMIN)
    assert await keys.find(created.id) == FoundKey(created, None)
    await users.set_role(created.organisation_id, "ada", Role.READER)
    assert await keys.find(created.id) == FoundKey(created, Role.READER)
