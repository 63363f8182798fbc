from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from store_makers import key, memory

from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.migrations import migrate
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.errors import ConfigurationError, StoreUnavailableError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Idempotency
from pronoia.resilience.deadline import deadline

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
SECONDS = 10


async def test_waiting_for_a_connection_ends_by_the_deadline(database_url: str) -> None:
    database = await Database.open(database_url, connections=1, timeout_seconds=0.2)
    async with database.reading(uuid4()):
        with pytest.raises(StoreUnavailableError) as caught:
            await PostgresMemoryStore(database, resident_limit=1).state(Scope(uuid4(), "ada"))
    assert caught.value.details["retry_after"] == 1
    await database.close()


async def test_a_statement_that_takes_too_long_is_cut_off_and_its_connection_serves_again(database_url: str) -> None:
    database = await Database.open(database_url, connections=1, timeout_seconds=0.3)
    with pytest.raises(StoreUnavailableError):
        async with database.durable() as connection:
            await connection.execute("select pg_sleep(30)")
    async with database.durable() as connection:
        assert await connection.fetchval("select 1") == 1
    await database.close()


async def test_a_connection_that_was_killed_is_replaced(database: Database, scope: Scope, database_url: str) -> None:
    store = PostgresMemoryStore(database, resident_limit=1)
    connection = await asyncpg.connect(database_url, timeout=SECONDS)

    async def write_on_a_connection_that_dies() -> None:
        async with database.durable() as borrowed:
            process = await borrowed.fetchval("select pg_backend_pid()")
            await connection.fetchval("select pg_terminate_backend($1, 5000)", process)
            await borrowed.fetchval("select 1")

    with pytest.raises(StoreUnavailableError):
        await write_on_a_connection_that_dies()
    await connection.close()
    assert (await store.add(scope, [memory()], None)).version == 1


async def test_a_database_that_is_not_there_is_named_in_the_remedy(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        await Database.open(database_url.replace("/test_", "/missing_"), connections=1, timeout_seconds=SECONDS)
    with pytest.raises(StoreUnavailableError):
        await Database.open(f"postgresql://pronoia@/x?host={tmp_path}", connections=1, timeout_seconds=SECONDS)


async def test_behind_a_transaction_pooler_no_statement_is_prepared(database_url: str) -> None:
    database = await Database.open(database_url, connections=1, timeout_seconds=SECONDS, pooler=True)
    scope = Scope(uuid4(), "ada")
    await PostgresKeyStore(database).create(key(scope.organisation_id))
    store = PostgresMemoryStore(database, resident_limit=1)
    await store.add(scope, [memory("one")], None)
    assert (await store.load(scope, "", None)).memories.texts == ["one"]
    async with database.durable() as connection:
        assert await connection.fetchval("select count(*) from pg_prepared_statements where name <> ''") == 0
    await database.close()


async def test_a_write_that_no_standby_confirmed_is_not_acknowledged(data_folder: Path) -> None:
    server = EmbeddedPostgres(data_folder)
    url = await server.start()
    try:
        await migrate(url)
        database = await Database.open(url, connections=2, timeout_seconds=SECONDS)
        scope = Scope(uuid4(), "ada")
        await PostgresKeyStore(database).create(key(scope.organisation_id))
        administrator = await asyncpg.connect(url.replace("pronoia@", "postgres@"), timeout=SECONDS)
        await administrator.execute("alter system set synchronous_standby_names = 'nobody'")
        await administrator.execute("select pg_reload_conf()")
        for write in (_add(database, scope), _key(database)):
            writing = asyncio.create_task(write)
            await _cancel_the_wait(administrator)
            with pytest.raises(StoreUnavailableError, match="no standby"):
                await writing
        await administrator.close()
        await database.close()
    finally:
        await server.stop()


async def test_a_write_sent_again_is_not_acknowledged_either_until_a_standby_has_the_first_one(
    data_folder: Path,
) -> None:
    server = EmbeddedPostgres(data_folder)
    url = await server.start()
    try:
        await migrate(url)
        database = await Database.open(url, connections=2, timeout_seconds=SECONDS)
        scope, store = Scope(uuid4(), "ada"), PostgresMemoryStore(database, resident_limit=1)
        await PostgresKeyStore(database).create(key(scope.organisation_id))
        administrator = await asyncpg.connect(url.replace("pronoia@", "postgres@"), timeout=SECONDS)
        await administrator.execute("alter system set synchronous_standby_names = 'nobody'")
        await administrator.execute("select pg_reload_conf()")
        new = memory()
        for write in (
            partial(store.add, scope, [new], Idempotency("add", b"")),
            partial(store.delete, scope, new.id, new.created_at, Idempotency("delete", b"")),
        ):
            for _ in range(2):
                writing = asyncio.create_task(write())
                await _cancel_the_wait(administrator)
                with pytest.raises(StoreUnavailableError, match="no standby"):
                    await writing
        await administrator.execute("alter system reset synchronous_standby_names")
        await administrator.execute("select pg_reload_conf()")
        assert (await write()).replayed
        await administrator.close()
        await database.close()
    finally:
        await server.stop()


async def _add(database: Database, scope: Scope) -> None:
    await PostgresMemoryStore(database, resident_limit=1).add(scope, [memory()], None)


async def _key(database: Database) -> None:
    await PostgresKeyStore(database).create(key(uuid4()))


async def _cancel_the_wait(administrator: asyncpg.Connection) -> None:
    waiting = "select pid from pg_stat_activity where wait_event = 'SyncRep' and backend_type = 'client backend'"
    async with asyncio.timeout(SECONDS):
        while (process := await administrator.fetchval(waiting)) is None:  # noqa: ASYNC110 - it tells when asked
            await asyncio.sleep(0.01)
    await administrator.execute("select pg_cancel_backend($1)", process)


async def test_at_the_deadline_of_a_request_its_connection_is_given_up_and_the_next_request_gets_another(
    database_url: str,
) -> None:
    database = await Database.open(database_url, connections=1, timeout_seconds=SECONDS)
    async with database.durable() as connection:
        first = await connection.fetchval("select pg_backend_pid()")
    with pytest.raises(StoreUnavailableError), deadline(0.3):
        async with database.durable() as connection:
            await connection.execute("select pg_sleep(30)")
    async with database.durable() as connection:
        assert await connection.fetchval("select pg_backend_pid()") != first
    await database.close()
