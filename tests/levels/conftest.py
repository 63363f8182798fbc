from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from receiving_server import ReceivingServer
from watched import Instance, make_instance

from pronoia.adapters.postgres.transactions import Database
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=3, timeout_seconds=5)
    yield database
    await database.close()


@pytest.fixture
async def receiver() -> AsyncIterator[ReceivingServer]:
    server = ReceivingServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def start(
    database: Database,
    clock: ManualClock,
    receiver: ReceivingServer,  # noqa: ARG001 - closed after those who are connected to it
) -> AsyncIterator[Callable[..., Instance]]:
    """Give what starts a process of one instance."""

    made: list[Instance] = []

    def make(*receivers: object) -> Instance:
        made.append(make_instance(database, clock, receivers))
        return made[-1]

    yield make
    for one in made:
        await one.monitoring.close()
