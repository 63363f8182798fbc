from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import erasure, key, memory

from pronoia.adapters.postgres.contribution_store import PostgresContributionStore
from pronoia.domain.identifiers import Scope

if TYPE_CHECKING:
    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
def contributions(database: Database) -> PostgresContributionStore:
    return PostgresContributionStore(database)


async def test_additions_add_up_by_user_and_by_organisation(
    contributions: PostgresContributionStore, store: PostgresMemoryStore, keys: PostgresKeyStore, scope: Scope
) -> None:
    other, stranger = Scope(scope.organisation_id, "bob"), Scope(uuid4(), "ada")
    await keys.create(key(stranger.organisation_id))
    for one in (scope, other, stranger):
        await store.add(one, [memory()], None)
    await contributions.add("a", {scope: [1.0, 2.0], other: [10.0, 20.0], stranger: [0.5, 0.5]})
    await contributions.add("a", {scope: [0.25, -1.0]})
    assert await contributions.of_user(scope, "a") == [1.25, 1.0]
    assert await contributions.total(scope.organisation_id, "a") == [11.25, 21.0]
    assert await contributions.total(stranger.organisation_id, "a") == [0.5, 0.5]


async def test_another_layout_starts_anew(
    contributions: PostgresContributionStore, store: PostgresMemoryStore, scope: Scope
) -> None:
    await store.add(scope, [memory()], None)
    await contributions.add("a", {scope: [1.0, 2.0]})
    await contributions.add("b", {scope: [5.0]})
    assert await contributions.total(scope.organisation_id, "a") == []
    assert await contributions.total(scope.organisation_id, "b") == [5.0]


async def test_a_forgotten_user_takes_their_contribution_along(
    contributions: PostgresContributionStore, store: PostgresMemoryStore, scope: Scope
) -> None:
    await store.add(scope, [memory()], None)
    await contributions.add("a", {scope: [1.0, 2.0]})
    await store.forget(scope, None, erasure())
    assert await contributions.of_user(scope, "a") == []
    assert await contributions.total(scope.organisation_id, "a") == []


async def test_a_user_who_never_was_has_no_contribution(contributions: PostgresContributionStore, scope: Scope) -> None:
    await contributions.add("a", {Scope(scope.organisation_id, "nobody"): [1.0]})
    assert await contributions.total(scope.organisation_id, "a") == []
