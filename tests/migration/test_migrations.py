from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from pronoia.adapters.postgres import embedded, migrations
from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.migrations import Migration, known_migrations, migrate, pending, pending_migrations
from pronoia.adapters.postgres.programs import find_programs
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.errors import ConfigurationError, StoreUnavailableError
from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.records import Access, AccessKind, ApiKey, Filters, Idempotency, NewMemory, Plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
SECONDS = 20
NEXT = known_migrations()[-1].number + 1

WAITING = "select exists (select from pg_locks where not granted)"
CATALOG = {
    "columns": """
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated::text,
            pg_get_expr(d.adbin, d.adrelid), c.reloptions::text, c.relrowsecurity, c.relforcerowsecurity,
            (select string_agg(acl::text, ',' order by acl::text) from unnest(c.relacl) acl)
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'm') and a.attnum > 0
            and not a.attisdropped and c.relname <> 'schema_migrations'
        order by c.relname, a.attnum""",
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'public'::regnamespace and conrelid::regclass::text <> 'schema_migrations'
        order by 1, 2""",
    "indexes": """
        select tablename, indexname, indexdef from pg_indexes
        where schemaname = 'public' and tablename <> 'schema_migrations' order by 1, 2""",
    "views": """
        select oid::regclass::text, pg_get_viewdef(oid) from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('v', 'm') order by 1""",
    "policies": """
        select tablename, policyname, permissive, roles::text, cmd, qual, with_check from pg_policies
        where schemaname = 'public' order by 1, 2""",
    "functions": """
        select oid::regprocedure::text, pg_get_functiondef(oid), proacl::text from pg_proc
        where pronamespace = 'public'::regnamespace and prokind = 'f' and probin is null
            and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
        order by 1""",
}


async def _catalog(url: str) -> dict[str, list[tuple[object, ...]]]:
    connection = await asyncpg.connect(url, timeout=SECONDS)
    try:
        return {name: [tuple(row) for row in await connection.fetch(query)] for name, query in CATALOG.items()}
    finally:
        await connection.close()


def _made(number: int, text: str) -> Migration:
    return Migration(number, f"{number:04}_made.sql", hashlib.sha256(text.encode()).digest(), text)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url, timeout=SECONDS)
    yield connection
    await connection.close()


class _Sleeps:
    """Stands in for sleep: keeps how long, and does something meanwhile."""

    def __init__(self, meanwhile: object = None) -> None:
        self.waits: list[float] = []
        self._meanwhile = meanwhile

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self._meanwhile is not None:
            await self._meanwhile()


async def test_the_schema_equals_the_sum_of_its_migrations(database_url: str, empty_database_url: str) -> None:
    schema = resources.files("pronoia.adapters.postgres").joinpath("schema.sql").read_text("utf-8")
    connection = await asyncpg.connect(empty_database_url, timeout=SECONDS)
    await connection.execute(schema)
    await connection.close()
    whole, summed = await _catalog(empty_database_url), await _catalog(database_url)
    assert all(summed.values())
    assert whole == summed


async def test_migrating_applies_each_file_once_in_order(empty_database_url: str) -> None:
    assert await pending_migrations(empty_database_url) == known_migrations()
    assert await migrate(empty_database_url) == known_migrations()
    assert await migrate(empty_database_url) == []
    assert await pending_migrations(empty_database_url) == []


def test_files_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in known_migrations()] == list(range(1, len(known_migrations()) + 1))


async def test_processes_that_migrate_together_apply_each_file_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    assert applied.count([]) <= 2
    assert await pending_migrations(empty_database_url) == []


async def test_a_changed_file_is_refused_by_name(database_url: str) -> None:
    changed = known_migrations()
    changed[1] = replace(changed[1], checksum=b"another")
    with pytest.raises(ConfigurationError, match=r"another text of 0002_row_security\.sql"):
        await migrate(database_url, migrations=changed)


async def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"newer Pronoia (it has {known_migrations()[-1].name})")):
        await migrate(database_url, migrations=known_migrations()[:-1])


async def test_a_file_that_fails_leaves_nothing_behind(database_url: str, connection: asyncpg.Connection) -> None:
    broken = _made(NEXT, "create table half (id int); select no_such_function();")
    with pytest.raises(ConfigurationError, match="no_such_function"):
        await migrate(database_url, migrations=[*known_migrations(), broken])
    assert await connection.fetchval("select to_regclass('half')") is None
    assert pending(known_migrations(), await migrations.applied(connection)) == []


async def test_a_lock_that_is_held_long_is_not_waited_for(
    database_url: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(migrations.QUERIES, "limit_lock_wait", "set local lock_timeout = '20ms'")
    wanted = [*known_migrations(), _made(NEXT, "alter table memories add column extra int;")]
    sleeps = _Sleeps()
    async with connection.transaction():
        await connection.fetch("select from memories")
        with pytest.raises(StoreUnavailableError, match=rf"{NEXT:04}_made\.sql needs a lock"):
            await migrate(database_url, migrations=wanted, sleep=sleeps)
    assert sleeps.waits == [0.5, 1.0, 2.0, 4.0]
    assert await migrate(database_url, migrations=wanted) == wanted[-1:]


async def test_a_lock_that_is_let_go_of_is_taken_at_the_next_attempt(
    database_url: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(migrations.QUERIES, "limit_lock_wait", "set local lock_timeout = '20ms'")
    wanted = [*known_migrations(), _made(NEXT, "alter table memories add column extra int;")]
    holding = connection.transaction()
    await holding.start()
    await connection.fetch("select from memories")
    sleeps = _Sleeps(holding.rollback)
    assert await migrate(database_url, migrations=wanted, sleep=sleeps) == wanted[-1:]
    assert sleeps.waits == [0.5]


async def test_readers_are_not_queued_behind_a_migration_that_waits(
    database_url: str, connection: asyncpg.Connection
) -> None:
    wanted = [*known_migrations(), _made(NEXT, "alter table memories add column extra int;")]
    reader = await asyncpg.connect(database_url, timeout=SECONDS, command_timeout=SECONDS)
    holding = connection.transaction()
    await holding.start()
    await connection.fetch("select from memories")
    migrating = asyncio.create_task(migrate(database_url, migrations=wanted, sleep=_Sleeps(holding.rollback)))
    async with asyncio.timeout(SECONDS):
        while not await reader.fetchval(WAITING):  # noqa: ASYNC110 - the server tells only when asked
            await asyncio.sleep(0.01)
    assert await reader.fetchval("select count(*) from memories") == 0
    assert await asyncio.wait_for(migrating, SECONDS) == wanted[-1:]
    await reader.close()


async def test_without_the_right_to_prepare_the_database_the_administrator_is_told_what_to_run(
    database_url: str,
) -> None:
    bare = await asyncpg.connect(database_url.replace("pronoia@", "postgres@"), timeout=SECONDS)
    await bare.execute("drop extension vector cascade")
    await bare.close()
    with pytest.raises(
        ConfigurationError, match="create extension if not exists vector; create role pronoia_app"
    ) as caught:
        await migrate(database_url)
    assert "grant pronoia_app to pronoia with inherit false, set true" in caught.value.message


async def test_the_oldest_supported_server_takes_every_migration(data_folder: Path) -> None:
    programs = find_programs().parent.with_name("pginstall") / "bin"
    server = embedded.EmbeddedPostgres(data_folder, programs=programs)
    url = await server.start()
    try:
        connection = await asyncpg.connect(url, timeout=SECONDS)
        assert connection.get_server_version().major == migrations.MINIMUM_POSTGRES
        await connection.close()
        await migrate(url)
        database = await Database.open(url, connections=2, timeout_seconds=SECONDS)
        scope, now = Scope(uuid4(), "ada"), datetime.now(UTC)
        key = ApiKey("k", scope.organisation_id, None, frozenset(), Plan.FREE, b"", now)
        await PostgresKeyStore(database).create(key)
        store = PostgresMemoryStore(database, resident_limit=0)
        new = NewMemory(new_id(now), "Ada walks", "api", "p", (), "{}", None, None, None, None, now, b"", None)
        await store.add(scope, [new], Idempotency("key", b""))
        assert (await store.add(scope, [new], Idempotency("key", b""))).replayed
        await PostgresAccessLog(database).record([Access(scope, new.id, AccessKind.GET, now)])
        assert (await store.load(scope, "", None)).usage.usage_count == [1]
        found = await store.candidates(scope, "", None, "walking", Filters(), 1)
        assert found.memories.texts == ["Ada walks"]
        await database.close()
    finally:
        await server.stop()


async def test_a_role_that_could_see_every_tenant_is_refused(data_folder: Path) -> None:
    server = embedded.EmbeddedPostgres(data_folder)
    url = await server.start()
    try:
        administrator = await asyncpg.connect(url.replace("pronoia@", "postgres@"), timeout=SECONDS)
        await administrator.execute("alter role pronoia_app bypassrls")
        await administrator.close()
        with pytest.raises(ConfigurationError, match="alter role pronoia_app nosuperuser nobypassrls"):
            await migrate(url)
    finally:
        await server.stop()
