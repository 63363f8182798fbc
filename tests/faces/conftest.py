from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest

from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope
from pronoia.domain.records import Permission, Plan
from pronoia.faces.http.application import create_http_app
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conftest import RunningServer
    from pronoia.services.services import Services

API = "/api/v1"


class Caller(httpx2.Client):
    """Speaks to the real server as one user, by a service key."""

    user: str

    def __init__(self, server: RunningServer, user: str) -> None:
        super().__init__(
            base_url=server.url, headers={"X-Service-Token": server.service_key, "X-User-ID": user}, timeout=30
        )
        self.user = user

    def remember(self, text: str, **fields: Any) -> dict[str, Any]:
        return self.given_created("/memories", json={"text": text, **fields})

    def given_created(self, path: str, **request: Any) -> dict[str, Any]:
        """Give the body of an answer that must be 201."""
        answer = self.post(API + path, **request)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def given(self, method: str, path: str, **request: Any) -> Any:
        """Give the body of an answer that must be 200."""
        answer = self.request(method, API + path, **request)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def calling(server: RunningServer, user: str) -> Iterator[Caller]:
    with Caller(server, user) as caller:
        yield caller


@pytest.fixture
def caller(server: RunningServer) -> Iterator[Caller]:
    """Give a user without memories."""
    with calling(server, f"user-{uuid4().hex}") as caller:
        yield caller


@pytest.fixture
def stranger(server: RunningServer) -> Iterator[Caller]:
    """Give another user of the same organisation."""
    with calling(server, f"stranger-{uuid4().hex}") as caller:
        yield caller


@pytest.fixture
def anonymous(server: RunningServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=30) as http:
        yield http


@pytest.fixture
def refused() -> Callable[..., dict[str, Any]]:
    """Give the check of an error answer: its status, its code, both its shapes, and its details."""

    def check(answer: httpx2.Response, status: int, code: str, **details: object) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        body = answer.json()
        assert body["code"] == code
        assert body["requestId"] == answer.headers["X-Request-ID"]
        assert body["message"]
        assert body["timestamp"].endswith("Z")
        if isinstance(body["error"], dict):
            assert {name: body[name] for name in body["error"]} == body["error"]
        else:
            assert body["error"] == answer.reason_phrase
        assert {name: body.get("details", {}).get(name) for name in details} == details
        assert "Traceback" not in answer.text
        return body

    return check


@dataclass
class Inside:
    """One user of a server within this process, and what is behind it."""

    http: httpx2.AsyncClient
    services: Services
    clock: ManualClock
    scope: Scope

    async def get(self, path: str, **query: Any) -> Any:
        return self._given(await self.http.get(API + path, params=query))

    async def post(self, path: str, **body: Any) -> Any:
        return self._given(await self.http.post(API + path, json=body))

    def _given(self, answer: httpx2.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture
async def inside(database_url: str) -> AsyncIterator[Inside]:
    """Serve Ada within this process, by a clock that stands still and without the schedule."""
    settings = read_settings({}, database_url=database_url, learning_schedule=False)
    clock, telemetry = ManualClock(), open_telemetry()
    async with open_services(settings, clock, telemetry=telemetry) as services:
        _, key = await services.keys.create(
            user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=DEFAULT_ORGANISATION
        )
        transport = httpx2.ASGITransport(app=create_http_app(services, settings, clock.now, telemetry=telemetry))
        headers = {"X-API-Key": key}
        async with httpx2.AsyncClient(transport=transport, base_url="http://server", headers=headers) as http:
            yield Inside(http, services, clock, Scope(DEFAULT_ORGANISATION, "ada"))
