from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from store_makers import RESIDENT_LIMIT, SECONDS, key

from database_administration import address, administer
from pgbouncer import Way, running_pgbouncer
from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.domain.identifiers import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=5, timeout_seconds=10)
    yield database
    await database.close()


@pytest.fixture
async def scope(database: Database) -> Scope:
    """Give a user of an organisation that exists."""
    scope = Scope(uuid4(), "ada")
    await PostgresKeyStore(database).create(key(scope.organisation_id))
    return scope


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, resident_limit=RESIDENT_LIMIT)


@pytest.fixture
def accesses(database: Database) -> PostgresAccessLog:
    return PostgresAccessLog(database)


@pytest.fixture
def work(database: Database) -> PostgresWorkQueue:
    return PostgresWorkQueue(database)


@pytest.fixture
def keys(database: Database) -> PostgresKeyStore:
    return PostgresKeyStore(database)


@pytest.fixture(scope="module")
def pooled(postgres_url: str, template: str) -> Iterator[Way]:
    """Give a way to a database through a pooler."""
    name = f"pooled_{uuid4().hex}"
    administer(postgres_url, f"create database {name} owner pronoia template {template}")
    with running_pgbouncer(address(postgres_url, database=name)) as way:
        yield way
    administer(postgres_url, f"drop database {name} with (force)")


@pytest.fixture(scope="module", params=["no pooler", "transaction pooler"])
def way(request: pytest.FixtureRequest, pooled: Way) -> Way:
    """Give the way through the pooler, and the one to the same database past it."""
    return pooled if request.param == "transaction pooler" else Way(pooled.direct_url, pooled.direct_url, pooler=False)


@pytest.fixture
async def administrator(pooled: Way) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection past the pooler."""
    connection = await asyncpg.connect(pooled.direct_url, timeout=SECONDS, command_timeout=SECONDS)
    yield connection
    await connection.close()
