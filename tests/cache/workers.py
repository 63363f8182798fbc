"""Server processes in this one: each has services and an application of its own, on one database."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2

from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.records import Permission, Plan
from pronoia.faces.http.application import create_http_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from pronoia.services.services import Services
    from pronoia.testing.clock import ManualClock

API = "/api/v1"


class Worker:
    """Speaks to one process as any user of one organisation."""

    def __init__(self, services: Services, http: httpx2.AsyncClient) -> None:
        self.services = services
        self._http = http
        self.secret = ""

    async def make_key(self, organisation_id: UUID) -> str:
        _, self.secret = await self.services.keys.create(
            user_id=None, plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=organisation_id
        )
        return self.secret

    async def call(self, method: str, path: str, user: str = "ada", **request: Any) -> httpx2.Response:
        headers = {"X-API-Key": self.secret, "X-User-ID": user, **request.pop("headers", {})}
        answer = await self._http.request(method, API + path, headers=headers, **request)
        assert answer.status_code < 300, answer.text
        return answer

    async def remember(self, text: str, user: str = "ada") -> tuple[str, int]:
        answer = await self.call("POST", "/memories", user, json={"text": text})
        return answer.json()["id"], int(answer.headers["x-memory-version"])

    async def settle(self) -> None:
        """Have all that was used and kept written."""
        await self.services.suggest._uses.flush()
        await self.services.caches.settled()


@asynccontextmanager
async def working(
    database_url: str, clock: ManualClock, organisation_id: UUID | None = None, secret: str = "", **settings: object
) -> AsyncIterator[Worker]:
    """Open a worker, with a new key of an organisation or a given one."""
    read = read_settings({}, database_url=database_url, **settings)
    async with open_services(read, clock) as services:
        # A busy machine switches no feature off here: the clock that would bring it back stands still.
        services.resilience._degradation.observe = lambda _: None
        app = create_http_app(services, read, clock.now, telemetry=open_telemetry())
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://worker") as http:
            worker = Worker(services, http)
            worker.secret = secret
            if organisation_id is not None:
                await worker.make_key(organisation_id)
            yield worker
