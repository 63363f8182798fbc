from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import RESIDENT_LIMIT, key

from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.domain.identifiers import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
