from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Permission, Plan
from pronoia.domain.trust import Trust
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conftest import RunningServer
    from pronoia.services.services import Services

MEMBER = (Permission.READ, Permission.WRITE, Permission.LEARN)


class Bearer(httpx2.Client):
    """Speaks to the real server as one user, by a key that says how far it is to be believed."""

    def __init__(self, server: RunningServer, key_id: str, key: str) -> None:
        super().__init__(base_url=f"{server.url}/api/v1", headers={"X-API-Key": key}, timeout=30)
        self.key_id = key_id

    def given(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """Give the body of an answer with this status."""
        answer = self.request(method, path, **request)
        assert answer.status_code == status, answer.text
        return answer.json()

    def search(self, query: str, **body: Any) -> dict[str, float]:
        """Give the scores of what is found, by id."""
        found = self.given("POST", "/memories/search", json={"query": query, **body})
        return {one["id"]: one["score"] for one in found["memories"]}

    def listed(self) -> set[str]:
        return {one["id"] for one in self.given("GET", "/memories")["memories"]}


@dataclass(frozen=True)
class Tenant:
    """One user of one organisation."""

    organisation_id: UUID
    user: str
    bearer: Callable[..., Bearer]

    @property
    def admin(self) -> Bearer:
        return self.bearer(permissions=tuple(Permission))


@pytest.fixture
def tenant(server: RunningServer) -> Iterator[Callable[[], Tenant]]:
    """Make organisations, and keys of their one user."""
    with ExitStack() as opened:

        def make() -> Tenant:
            organisation_id, user = uuid4(), f"user-{uuid4().hex}"

            def bearer(trust: Trust = Trust.TRUSTED, permissions: tuple[Permission, ...] = MEMBER) -> Bearer:
                key_id, key = asyncio.run(_make_key(server.database_url, organisation_id, user, trust, permissions))
                return opened.enter_context(Bearer(server, key_id, key))

            return Tenant(organisation_id, user, bearer)

        yield make


@pytest.fixture
def ada(tenant: Callable[[], Tenant]) -> Tenant:
    return tenant()


async def _make_key(
    url: str, organisation_id: UUID, user: str, trust: Trust, permissions: tuple[Permission, ...]
) -> tuple[str, str]:
    database = await Database.open(url, connections=2, timeout_seconds=10)
    try:
        key, text = await Keys(store=PostgresKeyStore(database), clock=SystemClock()).create(
            user_id=user,
            plan=Plan.ENTERPRISE,
            permissions=permissions,
            organisation_id=organisation_id,
            trust=trust,
        )
    finally:
        await database.close()
    return key.id, text


@pytest.fixture
async def services(database_url: str) -> AsyncIterator[Services]:
    async with open_services(read_settings({}, database_url=database_url)) as services:
        yield services


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[Services]:
    """Give the services of another process on the same database."""
    async with open_services(read_settings({}, database_url=database_url)) as elsewhere:
        yield elsewhere


@pytest.fixture
async def scope(services: Services) -> Scope:
    scope = Scope(uuid4(), "ada")
    await services.keys.create(
        user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
    )
    return scope
