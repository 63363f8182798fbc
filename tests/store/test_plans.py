from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import NOW, SPACE, key, memory, relationship

from pronoia.adapters.postgres.loader import _load_all, _load_changes
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind, MemoryChanges

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.driver import Connection
    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio
USERS = 20
MEMORIES = 200


async def _rows_read(connection: Connection) -> Counter[str]:
    """Give how many rows of each table this connection has read until now, by whatever way."""
    rows = await connection.fetch(
        "select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) as read from pg_stat_xact_user_tables"
    )
    return Counter({row["relname"]: row["read"] for row in rows})


@pytest.fixture(params=["without statistics", "with statistics"])
async def ids(
    request: pytest.FixtureRequest,
    store: PostgresMemoryStore,
    accesses: PostgresAccessLog,
    keys: PostgresKeyStore,
    database: Database,
) -> dict[Scope, list[UUID]]:
    """Give the memories of many users. Plans must be good in a new database as well as in an analyzed one."""
    organisation_id = uuid4()
    await keys.create(key(organisation_id))
    ids: dict[Scope, list[UUID]] = {}
    for number in range(USERS):
        user = Scope(organisation_id, f"user {number}")
        new = [memory(f"text {place}") for place in range(MEMORIES)]
        ids[user] = [one.id for one in new]
        await store.add(user, new, None)
        await store.relate(user, relationship(new[0].id, new[1].id), None)
        await accesses.record([Access(user, one.id, AccessKind.GET, NOW) for one in new])
    async with database._pool.acquire() as connection:
        await connection.execute("alter table memories set (autovacuum_enabled = off)")
        if request.param == "with statistics":
            await connection.execute("analyze")
    return ids


async def test_a_full_load_reads_only_the_user(database: Database, ids: dict[Scope, list[UUID]]) -> None:
    user = next(iter(ids))
    async with database.reading(user.organisation_id) as connection:
        before = await _rows_read(connection)
        snapshot = await _load_all(connection, user, SPACE)
        read = await _rows_read(connection) - before
    assert len(snapshot.memories.texts) == MEMORIES
    assert read["memories"] <= 2 * MEMORIES
    assert read["memory_usage"] == MEMORIES


async def test_a_delta_reads_only_what_changed(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, ids: dict[Scope, list[UUID]]
) -> None:
    user, memory_ids = next(iter(ids.items()))
    since = await store.state(user)
    await store.add(user, [memory("new")], None)
    await store.update(user, memory_ids[0], MemoryChanges(source="edit"), NOW, None)
    await accesses.record([Access(user, memory_ids[5], AccessKind.GET, NOW)])
    async with database.reading(user.organisation_id) as connection:
        before = await _rows_read(connection)
        snapshot = await _load_changes(connection, user, SPACE, since)
        read = await _rows_read(connection) - before
    assert snapshot is not None
    assert len(snapshot.memories.texts) == 2
    assert read["memories"] <= 4
    # Once for the usage it changed, once for the history.
    assert read["accesses"] <= 2
    assert read["memory_usage"] <= 1
    assert read["relationships"] == 0


async def test_writing_reads_no_more_than_the_memories_it_is_about(
    database: Database, ids: dict[Scope, list[UUID]]
) -> None:
    user, memory_ids = next(iter(ids.items()))
    owner, told = (user.organisation_id, user.user_id), ("memory.updated", "key:1", None, None, None, "{}")
    async with database.durable() as connection:
        before = await _rows_read(connection)
        await connection.fetch(QUERIES["begin_write"], *owner, 0, None, *told)
        await connection.fetch(
            QUERIES["update_memory"],
            *owner,
            memory_ids[0],
            99,
            "text 7",
            *(None,) * 4,
            b"",
            None,
            NOW,
            None,
            None,
            None,
        )
        read = await _rows_read(connection) - before
    # The memory before, to be changed and for its references, and the one that has the text already.
    assert read["memories"] <= 8


async def test_storing_links_reads_the_memories_at_their_ends_only(
    database: Database, ids: dict[Scope, list[UUID]]
) -> None:
    user, memory_ids = next(iter(ids.items()))
    links = [relationship(one, other) for one, other in pairwise(memory_ids[2:103])]
    async with database.writing(user.organisation_id) as connection:
        leases = [row["available_at"] for row in await connection.fetch("select distinct available_at from work")]
        before = await _rows_read(connection)
        await connection.fetch(
            QUERIES["finish_links"], user.organisation_id, user.user_id, 1, memory_ids[2:102], leases,
            [one.id for one in links], [one.memory_id for one in links], [one.related_memory_id for one in links],
            [one.type.value for one in links], [one.strength for one in links], [one.explanation for one in links],
            [one.created_at for one in links],
        )  # fmt: skip
        read = await _rows_read(connection) - before
    # Both ends once for themselves, and once for the foreign keys.
    assert 2 * len(links) <= read["memories"] <= 4 * len(links)


async def test_recording_uses_reads_the_memories_used_only(database: Database, ids: dict[Scope, list[UUID]]) -> None:
    user, memory_ids = next(iter(ids.items()))
    uses = [(user.organisation_id, user.user_id, one, "get", NOW, None) for one in memory_ids[:100]]
    async with database.writing(None) as connection:
        before = await _rows_read(connection)
        await connection.fetch(QUERIES["record_accesses"], *map(list, zip(*uses, strict=True)))
        read = await _rows_read(connection) - before
    # Once each to see that it is there, and twice for the foreign keys of the log and of the counts.
    assert read["memories"] <= 3 * len(uses)


async def test_what_could_be_mended_is_found_among_the_rows_of_the_user_alone(
    store: PostgresMemoryStore, database: Database, ids: dict[Scope, list[UUID]]
) -> None:
    user = next(iter(ids))
    unused = [memory(f"unused {number}") for number in range(20)]
    await store.add(user, unused, None)
    async with database.reading(user.organisation_id) as connection:
        before = await _rows_read(connection)
        found = await connection.fetchval(QUERIES["mendable"], user.organisation_id, user.user_id, 50, 10, 0.3)
        read = await _rows_read(connection) - before
    assert len(found) == 20
    assert {one.id for one in unused[:10]} <= {*found}
    # Each once, and its usage: those that were used are passed over on the way to the first that was not.
    assert read["memories"] <= MEMORIES + len(unused)
    assert read["memory_usage"] <= 2 * MEMORIES
    assert read["accesses"] <= 50


@pytest.mark.usefixtures("ids")
async def test_claiming_work_reads_what_waits_once(database: Database) -> None:
    async with database.writing(None) as connection:
        before = await _rows_read(connection)
        claimed = await connection.fetch(QUERIES["claim_work"], "link", 100, 60.0)
        read = await _rows_read(connection) - before
    assert sum(len(row["memory_ids"]) for row in claimed) == 100
    # The oldest are chosen from all that is due, then found again by their places.
    assert read["work"] <= USERS * MEMORIES + 300
