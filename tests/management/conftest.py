from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest

from database_administration import address, administer
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.organisation_store import PostgresUserStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.services.delegated_keys import DelegatedKeys
from pronoia.services.keys import Keys
from pronoia.services.users import Users
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conftest import RunningServer


LEEWAY = timedelta(seconds=30)


@pytest.fixture(scope="session")
def managed_url(postgres_url: str, template: str) -> str:
    """Make one database for all tests of a run; they keep apart by organisations."""
    administer(postgres_url, f"create database managed owner pronoia template {template}")
    return address(postgres_url, database="managed")


@pytest.fixture
async def organisation(managed_url: str) -> AsyncIterator[SimpleNamespace]:
    """Give an organisation as one process sees it, and what opens the view of one more."""
    database = await Database.open(managed_url, connections=5, timeout_seconds=10)
    clock = ManualClock()
    store = PostgresKeyStore(database)
    keys = Keys(store=store, clock=clock)
    yield SimpleNamespace(
        id=uuid4(),
        clock=clock,
        store=store,
        keys=keys,
        delegated=DelegatedKeys(keys=keys),
        users=Users(store=PostgresUserStore(database), clock=clock, token_leeway=LEEWAY),
        other_users=Users(store=PostgresUserStore(database), clock=clock, token_leeway=LEEWAY),
        leeway=LEEWAY,
        another_process=lambda: Keys(store=store, clock=clock),
    )
    await database.close()


@pytest.fixture
def anonymous(server: RunningServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=30) as http:
        yield http
