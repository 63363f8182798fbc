from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest
from tenants import World

from database_administration import address, administer
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.faces.http.application import create_http_app
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture(scope="module")
def shared_url(postgres_url: str, template: str) -> Iterator[str]:
    """Give the URL of a database for all tests of a module."""
    name = f"isolation_{uuid4().hex}"
    administer(postgres_url, f"create database {name} owner pronoia template {template}")
    yield address(postgres_url, database=name)
    administer(postgres_url, f"drop database {name} with (force)")


@asynccontextmanager
async def open_world(database_url: str, **more: object) -> AsyncIterator[World]:
    """Serve within this process, by a clock that stands still. What waits to be written is, when it ends."""
    # Hundreds of calls with dead keys come from one address.
    settings = read_settings(
        {}, database_url=database_url, learning_schedule=False, anonymous_rate_limit=1_000_000, **more
    )
    clock, telemetry = ManualClock(), open_telemetry()
    async with open_services(settings, clock, telemetry=telemetry) as services:
        # A busy machine switches no feature off here: the clock that would bring it back stands still.
        services.resilience._degradation.observe = lambda _: None
        app = create_http_app(services, settings, clock.now, telemetry=telemetry)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://server") as http:
            yield World(http, services, clock, database_url, app)


@pytest.fixture(scope="module")
def opening(shared_url: str) -> Callable[[], object]:
    """Give what serves on the database of the module."""
    return lambda **more: open_world(shared_url, **more)
