from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx2
import pytest
from audit_makers import all_rows

from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.records import Permission, Plan
from pronoia.faces.http.application import create_http_app
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from pronoia.domain.audit import AuditRow
    from pronoia.services.services import Services


@dataclass
class Audited:
    """A server within this process, an organisation of it, and its audit log."""

    http: httpx2.AsyncClient
    """With a key of ada that may do everything."""
    key_id: str
    services: Services
    database: Database
    clock: ManualClock
    organisation_id: UUID

    async def rows(self, **filters: object) -> list[AuditRow]:
        """Give all rows, oldest first."""
        return await all_rows(self.database, self.organisation_id, **filters)

    async def key(
        self, *permissions: Permission, user: str | None = "ada", organisation_id: UUID | None = None
    ) -> tuple[str, str]:
        """Make a key, and give its id and its text."""
        allowed: Collection[Permission] = permissions or Permission
        key, text = await self.services.keys.create(
            user_id=user,
            plan=Plan.ENTERPRISE,
            permissions=allowed,
            organisation_id=organisation_id or self.organisation_id,
        )
        return key.id, text


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=3, timeout_seconds=10)
    yield database
    await database.close()


@pytest.fixture
async def audited(database_url: str, database: Database) -> AsyncIterator[Audited]:
    settings = read_settings({}, database_url=database_url, learning_schedule=False)
    clock, telemetry = ManualClock(), open_telemetry()
    async with open_services(settings, clock, telemetry=telemetry) as services:
        # A busy machine switches no feature off here: the clock that would bring it back stands still.
        services.resilience._degradation.observe = lambda _: None
        transport = httpx2.ASGITransport(app=create_http_app(services, settings, clock.now, telemetry=telemetry))
        async with httpx2.AsyncClient(transport=transport, base_url="http://server") as http:
            audited = Audited(http, "", services, database, clock, uuid4())
            audited.key_id, http.headers["X-API-Key"] = await audited.key()
            yield audited
