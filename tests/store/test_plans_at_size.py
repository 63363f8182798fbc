"""Each index is what the statement that it was made for really uses, where its table has 50,000 rows."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest
from large_database import Size, fill, id_of, scope_of
from store_makers import NOW, unit

from database_administration import address, administer
from pronoia.adapters.postgres.driver import halfvec
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.transactions import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio
DOCUMENT = Path(__file__).parents[2] / "docs" / "database.md"
ROWS = 50_000
USERS = 25
EACH = ROWS // USERS
VECTORS = 1_000
PERSON = 3
INDEXED_PERSON = 1


@pytest.fixture(scope="module")
def large_url(postgres_url: str, template: str) -> Iterator[str]:
    name = f"large_{uuid4().hex}"
    administer(postgres_url, f"create database {name} owner pronoia template {template}")
    url = address(postgres_url, database=name)

    async def prepare() -> None:
        superuser = await asyncpg.connect(address(url, user="postgres"), timeout=10)
        try:
            await fill(superuser, Size(users=USERS, memories=ROWS, uses=ROWS, indexed=VECTORS, idle=ROWS))
        finally:
            await superuser.close()

    asyncio.run(prepare())
    yield url
    administer(postgres_url, f"drop database {name} with (force)")


@pytest.fixture
async def database(large_url: str) -> AsyncIterator[Database]:
    database = await Database.open(large_url, connections=1, timeout_seconds=30)
    yield database
    await database.close()


@dataclass(frozen=True)
class Use:
    """A statement as the server runs it, and what it may read of the index's table at most, in rows."""

    query: str
    arguments: tuple[object, ...]
    rows: int
    tenant: UUID | None = scope_of(PERSON)[0]


USER = scope_of(PERSON)
INDEXED_USER = scope_of(INDEXED_PERSON)
ONE, OTHER = id_of(PERSON, 700), id_of(PERSON, 701)
NO_FILTERS = (None,) * 8
CANDIDATES = (INDEXED_USER[1], "model")
SOON = datetime.now(UTC) + timedelta(minutes=1)
DELETION = ("delete_memory", (*USER, ONE, EACH + 1, NOW))

TOLD = ("memory.updated", "key:1", None, None, None, "{}")
USES = {
    "users_pkey": Use("user_state", USER, 4),
    "users_indexing": Use("users_to_index", (100,), 2, None),
    "api_keys_id": Use("find_key", ("key 777",), 2, None),
    "memories_pkey": Use("read_memory", (*USER, ONE), 2),
    "memories_version": Use("changed_ids", (*USER, EACH - 10, EACH - 10), 40),
    "memories_text": Use(
        "update_memory",
        (*USER, ONE, EACH + 1, "Note 800 is about topic24 and thing800", *(None,) * 4, b"", None, NOW, None, 2, None),
        12,
    ),
    "memories_created_at": Use("expired_memories", (datetime.now(UTC), 1_000), 10_000, None),
    "memories_embedding_256": Use(
        "search_candidates", (*CANDIDATES, halfvec(unit(1.0).values), "", *NO_FILTERS, 20, None), 1_500, INDEXED_USER[0]
    ),
    "memories_words": Use(
        "search_candidates", (*CANDIDATES, None, "topic7", *NO_FILTERS, 20, None), 200, INDEXED_USER[0]
    ),
    "memories_archived": Use("load_accesses", (*USER, 100), EACH // 100),
    "memory_usage_pkey": Use("read_usage", (*USER, [ONE, OTHER]), 2),
    "accesses_pkey": Use("load_accesses", (*USER, 100), 110),
    "feedback_pkey": Use("changed_ids", (*USER, EACH - 10, EACH - 10), 12),
    "feedback_memory": Use(*DELETION, 4),
    "relationships_pkey": Use("read_relationships", (*USER, [ONE, OTHER]), 2),
    "relationships_organisation_id_user_id_memory_id_related_mem_key": Use("count_links", (*USER, ONE), 6),
    "relationships_related": Use("count_links", (*USER, ONE), 6),
    "relationships_version": Use("changed_ids", (*USER, EACH - 10, EACH - 10), 40),
    "removals_pkey": Use("changed_ids", (*USER, EACH - 10, EACH - 10), 24),
    "memory_revisions_pkey": Use("read_history", (*USER, ONE), 4),
    "idempotency_keys_pkey": Use("begin_write", (*USER, 0, "key 777", *TOLD), 2),
    "idempotency_keys_created_at": Use("purge_idempotency_keys", (86_400.0, 100), 250, None),
    "work_pkey": Use("finish_vectors", (*USER, EACH, [ONE], [SOON], ["model"], [halfvec(unit(1.0).values)]), 4),
    "work_available_at": Use("claim_work", ("embed", 10, 60.0), 60, None),
    "maintenance_actions_pkey": Use("find_action", (*USER, ONE, None), 2),
    "maintenance_actions_at": Use("expired_actions", (NOW - timedelta(days=4_000), 100), 2, None),
    "maintenance_actions_memory": Use(*DELETION, 8),
    "maintenance_actions_kept": Use(*DELETION, 8),
    "maintenance_actions_relationship": Use("unrelate", (*USER, ONE, EACH + 1), 4),
    "daily_outcomes_pkey": Use("read_outcomes", (*USER, (datetime.now(UTC) - timedelta(days=7)).date()), 120),
    "daily_outcomes_day": Use("purge_metrics", ((datetime.now(UTC) - timedelta(days=142)).date(), 1_000), 1_000, None),
    "learning_metrics_pkey": Use("read_metrics", (*USER, (datetime.now(UTC) - timedelta(days=7)).date()), 20),
    "learning_metrics_day": Use("count_metric_rows", ((datetime.now(UTC) - timedelta(days=1)).date(),), 150, None),
    "audit_log_number": Use("read_audit", (USER[0], None, *(None,) * 5, 0, 20), 25),
    "audit_log_waiting": Use("chain_audit", (10,), 10_100, None),
    "shared_answers_pkey": Use("find_shared_answer", (*USER, (777).to_bytes(8), NOW), 2),
    "kept_answers_pkey": Use("find_kept_answer", (*USER, (777).to_bytes(8), NOW), 2),
}
"""By index: who uses it."""

NOT_HELD = {
    "api_keys_pkey": "a constraint: a key's id alone is as good",
    "audit_log_pkey": "a constraint: rows are found by their numbers, or while they wait",
    "shared_answers_by_expiry": "cleaning counts what is left, so it reads the table in any case",
    "kept_answers_by_expiry": "the same",
}


async def _read(connection: asyncpg.Connection) -> tuple[Counter[str], Counter[str]]:
    """Give how often each index was scanned until now, and how many rows of each table were read by whatever way."""
    await connection.execute("select pg_stat_force_next_flush()")
    await connection.execute("select pg_stat_clear_snapshot()")
    scans = await connection.fetch("select indexrelname, idx_scan from pg_stat_user_indexes")
    rows = await connection.fetch("select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables")
    return Counter(dict(map(tuple, scans))), Counter(dict(map(tuple, rows)))


@pytest.mark.parametrize("index", USES)
async def test_an_index_is_used_by_the_statement_that_it_is_for(database: Database, index: str) -> None:
    use = USES[index]
    async with database._pool.acquire() as connection:
        table = await connection.fetchval("select tablename from pg_indexes where indexname = $1", index)
        scans, rows = await _read(connection)
    with suppress(_RolledBackError):
        async with database.writing(use.tenant) as connection:
            await connection.fetch(QUERIES[use.query], *use.arguments)
            raise _RolledBackError
    async with database._pool.acquire() as connection:
        scans_after, rows_after = await _read(connection)
    assert scans_after[index] > scans[index]
    assert rows_after[table] - rows[table] <= use.rows


class _RolledBackError(Exception):
    """Leaves the database as it was."""


async def test_every_index_over_many_rows_is_tested(database: Database) -> None:
    async with database._pool.acquire() as connection:
        rows = await connection.fetch(
            "select i.indexname from pg_indexes i join pg_class c on c.oid = (quote_ident(i.tablename))::regclass "
            "where i.schemaname = 'public' and c.reltuples >= 5000"
        )
    assert {row["indexname"] for row in rows} == {*USES, *NOT_HELD}


async def test_every_index_is_explained(database: Database) -> None:
    async with database._pool.acquire() as connection:
        rows = await connection.fetch(
            "select indexrelid::regclass::text as name from pg_index i "
            "where indrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace) "
            "and not exists (select from pg_constraint c where c.conindid = i.indexrelid)"
        )
    explained = DOCUMENT.read_text("utf-8")
    assert len(rows) > 20
    assert [row["name"] for row in rows if f"`{row['name']}`" not in explained] == []
