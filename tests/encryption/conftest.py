from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from encryption_makers import write_master_key

from pronoia.adapters.master_keys import MasterKeys
from pronoia.adapters.postgres.data_keys import DataKeys
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.organisation_store import PostgresOrganisationStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.identifiers import Scope
from pronoia.domain.organisations import Organisation
from pronoia.resilience.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=5, timeout_seconds=10)
    yield database
    await database.close()


@pytest.fixture
async def scope(database: Database) -> Scope:
    """Give a user of an organisation that exists."""
    scope = Scope(uuid4(), "ada")
    await PostgresOrganisationStore(database).create(Organisation(scope.organisation_id, "Ada", SystemClock().now()))
    return scope


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write_master_key(tmp_path / "master.key")


@pytest.fixture
def texts(database: Database, key_file: Path) -> DataKeys:
    return DataKeys(database, MasterKeys(files=[key_file]))


@pytest.fixture
def store(database: Database, texts: DataKeys) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, resident_limit=100, texts=texts)
