from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import NOW, key

from pronoia.domain.errors import NotFoundError
from pronoia.domain.records import Permission, Plan

if TYPE_CHECKING:
    from pronoia.adapters.postgres.key_store import PostgresKeyStore

pytestmark = pytest.mark.anyio


async def test_a_key_is_found_by_its_id_alone_with_every_field(keys: PostgresKeyStore) -> None:
    created = key(uuid4(), "k1", user_id="ada", plan=Plan.TEAM, permissions=frozenset(Permission), last_used_at=NOW)
    await keys.create(created)
    await keys.create(key(uuid4(), "k2"))
    assert await keys.find("k1") == created
    assert await keys.find("k3") is None


async def test_an_organisation_lists_its_own_keys_oldest_first(keys: PostgresKeyStore) -> None:
    organisation_id = uuid4()
    newer = key(organisation_id, "a", created_at=NOW + timedelta(days=1))
    older = key(organisation_id, "b")
    for one in (newer, older, key(uuid4())):
        await keys.create(one)
    assert await keys.listed(organisation_id) == [older, newer]
    assert await keys.listed(uuid4()) == []


async def test_revoking_twice_keeps_the_first_time(keys: PostgresKeyStore) -> None:
    created = key(uuid4())
    await keys.create(created)
    revoked = await keys.revoke(created.organisation_id, created.id, NOW)
    assert revoked.revoked_at == NOW
    again = await keys.revoke(created.organisation_id, created.id, NOW + timedelta(days=1))
    assert again.revoked_at == NOW
    assert await keys.find(created.id) == revoked


async def test_another_organisation_cannot_revoke_a_key(keys: PostgresKeyStore) -> None:
    created = key(uuid4())
    await keys.create(created)
    with pytest.raises(NotFoundError):
        await keys.revoke(uuid4(), created.id, NOW)
    assert (await keys.listed(created.organisation_id))[0].revoked_at is None
