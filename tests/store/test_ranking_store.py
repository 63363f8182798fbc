from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import NOW, key, memory

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.ranking_store import PostgresRankingStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.identifiers import Scope, new_id
from pronoia.ports.learning_stores import FeedbackSummary, RankingExample, RankingState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    yield database
    await database.close()


@pytest.fixture
async def scope(database: Database) -> Scope:
    scope = Scope(uuid4(), "ada")
    await PostgresKeyStore(database).create(key(scope.organisation_id))
    return scope


async def remember(database: Database, scope: Scope, count: int) -> list[UUID]:
    store = PostgresMemoryStore(database, resident_limit=100)
    new = [memory(f"Memory {place}") for place in range(count)]
    return [one.id for one in (await store.add(scope, new, None)).memories]


def example(second: int, memory_id: UUID, *shown: UUID) -> RankingExample:
    return RankingExample(new_id(NOW + timedelta(seconds=second)), f"Query {second}", memory_id, shown, True, 0.3)


async def test_the_newest_examples_are_kept_in_order(database: Database, scope: Scope):
    store = PostgresRankingStore(database)
    first, second = await remember(database, scope, 2)
    given = [example(place, first, second, first) for place in range(4)]
    assert [await store.add(scope, one, keep=3) for one in given] == [0, 1, 2, 3]
    assert await store.examples(scope) == given[1:]
    assert (await store.state(scope)).examples == 3


async def test_what_is_gone_is_neither_judged_nor_shown(database: Database, scope: Scope):
    store = PostgresRankingStore(database)
    (here,) = await remember(database, scope, 1)
    assert await store.add(scope, example(0, uuid4(), here), keep=3) is None
    assert await store.add(scope, example(1, here, uuid4(), here), keep=3) == 0
    assert [one.shown for one in await store.examples(scope)] == [(here,)]


async def test_weights_come_back_as_they_were_saved(database: Database, scope: Scope):
    store = PostgresRankingStore(database)
    (here,) = await remember(database, scope, 1)
    assert await store.state(scope) == RankingState()
    one = example(0, here)
    await store.add(scope, one, keep=3)
    state = RankingState("a,b", (0.25, -1.5), served=True, fitted_at=NOW)
    assert await store.save(scope, state, [one.id])
    await store.count_searches({scope: 2})
    await store.count_searches({scope: 3, Scope(scope.organisation_id, "nobody"): 1})
    assert await store.state(scope) == RankingState("a,b", (0.25, -1.5), True, NOW, searches=5, examples=1)


async def test_weights_of_an_example_that_was_forgotten_meanwhile_are_not_kept(database: Database, scope: Scope):
    store = PostgresRankingStore(database)
    shown, judged = await remember(database, scope, 2)
    one = example(0, judged, shown)
    await store.add(scope, one, keep=3)
    await PostgresMemoryStore(database, resident_limit=100).delete(scope, shown, NOW, None)
    assert not await store.save(scope, RankingState("a", (1.0,), served=True, fitted_at=NOW), [one.id])
    assert await store.state(scope) == RankingState()


async def test_an_organisation_is_the_mean_of_others_who_are_served_their_own(database: Database, scope: Scope):
    store = PostgresRankingStore(database)
    stranger = Scope(uuid4(), "eve")
    await PostgresKeyStore(database).create(key(stranger.organisation_id))
    for user, weights, served in (
        (scope, (9.0, 9.0), True),
        (Scope(scope.organisation_id, "grace"), (1.0, 2.0), True),
        (Scope(scope.organisation_id, "alan"), (3.0, 6.0), True),
        (Scope(scope.organisation_id, "edsger"), (50.0, 50.0), False),
        (stranger, (70.0, 70.0), True),
    ):
        await remember(database, user, 1)
        await store.save(user, RankingState("a,b", weights, served=served, fitted_at=NOW), [])
    assert await store.organisation_weights(scope, "a,b") == (2, [2.0, 4.0])
    assert await store.organisation_weights(scope, "b,a") == (0, [])


async def test_nothing_of_another_tenant_is_seen(database: Database, scope: Scope):
    store = PostgresRankingStore(database)
    (here,) = await remember(database, scope, 1)
    await store.add(scope, example(0, here), keep=3)
    stranger = Scope(uuid4(), "ada")
    assert await store.examples(stranger) == []
    assert await store.state(stranger) == RankingState()
    assert await store.feedback(stranger) == FeedbackSummary(0, 0, None)
