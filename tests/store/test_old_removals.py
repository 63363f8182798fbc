from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from store_makers import NOW, SPACE, memory

from pronoia.adapters.postgres.housekeeping import PostgresHousekeeping
from pronoia.domain.identifiers import Scope

if TYPE_CHECKING:
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio
AGE = "update removals set at = now() - make_interval(days => $2) where id = $1"


@pytest.fixture
def housekeeping(database: Database) -> PostgresHousekeeping:
    return PostgresHousekeeping(database, direct_url="")


async def ids_left(database: Database, scope: Scope) -> set[object]:
    async with database.reading(scope.organisation_id) as connection:
        return {row["id"] for row in await connection.fetch("select id from removals")}


async def test_after_a_month_nothing_is_left_of_a_deleted_memory_and_nobody_misses_that_it_is_gone(
    store: PostgresMemoryStore, database: Database, scope: Scope, housekeeping: PostgresHousekeeping
) -> None:
    old, new, kept = memory("old"), memory("new"), memory("kept")
    await store.add(scope, [old, new, kept], None)
    before = await store.state(scope)
    await store.delete(scope, old.id, NOW, None)
    between = await store.state(scope)
    await store.delete(scope, new.id, NOW, None)
    async with database.writing(scope.organisation_id) as connection:
        await connection.execute(AGE, old.id, 31)
        await connection.execute(AGE, new.id, 29)
    assert await housekeeping.purge_removals() == 1
    assert await ids_left(database, scope) == {new.id}
    late = await store.load(scope, SPACE, before)
    assert (late.complete, late.memories.texts) == (True, ["kept"])
    current = await store.load(scope, SPACE, between)
    assert (current.complete, current.removed_memories) == (False, [new.id])
    assert await housekeeping.purge_removals() == 0


async def test_a_user_who_is_being_written_is_left_for_the_next_time(
    store: PostgresMemoryStore, database: Database, scope: Scope, housekeeping: PostgresHousekeeping
) -> None:
    other = Scope(scope.organisation_id, "grace")
    for user in (scope, other):
        gone = memory("gone")
        await store.add(user, [gone], None)
        await store.delete(user, gone.id, NOW, None)
    async with database.writing(scope.organisation_id) as connection:
        await connection.execute("update removals set at = now() - interval '31 days'")
    async with database.writing(scope.organisation_id) as connection:
        await connection.execute("select from users where user_id = $1 for update", scope.user_id)
        assert await housekeeping.purge_removals() == 1
        assert len(await ids_left(database, scope)) == 1
    assert await housekeeping.purge_removals() == 1
    assert await ids_left(database, scope) == set()
