"""Kills the API process again and again while clients write. Their ledgers say afterwards what must be there."""

from __future__ import annotations

import multiprocessing
import os
import random
import socket
import time
from typing import TYPE_CHECKING

import pytest
import uvicorn
from fault_server import times
from ledger import Writers, check

from pronoia.config import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerProcess

    from conftest import RunningServer

WRITERS = 4
LONGEST_DELAY_SECONDS = 0.05
RESPAWN_SECONDS = 10.0


def serve(listener: socket.socket, database_url: str) -> None:
    """Be the API process."""
    os.environ[PREFIX + "DATABASE_URL"] = database_url
    config = uvicorn.Config("pronoia.app:create", factory=True, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Hold the port while the processes behind it die: what arrives in between waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener


def start(listener: socket.socket, database_url: str) -> ForkServerProcess:
    """Start an API process from a parent that has imported everything, so that 200 starts take minutes, not ten."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pronoia.app", "uvicorn"])
    process = context.Process(target=serve, args=(listener, database_url), daemon=True)
    process.start()
    return process


def test_killed_servers_lose_no_acknowledged_write_and_do_none_twice(
    server: RunningServer, listener: socket.socket, seed: int
) -> None:
    delays = random.Random(seed)  # noqa: S311 - a schedule of blows
    kills = times(20, 200)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    process = start(listener, server.database_url)
    recoveries: list[float] = []
    with Writers([url], [server.service_key] * WRITERS, seed) as writers:
        for _ in range(kills):
            recoveries.append(writers.await_acknowledgements(RESPAWN_SECONDS))
            # The moment of the blow is what the test varies; nothing is waited for.
            time.sleep(delays.uniform(0, LONGEST_DELAY_SECONDS))
            process.kill()
            process.join()
            process = start(listener, server.database_url)
        writers.await_acknowledgements(RESPAWN_SECONDS)
    check(server.url, writers, None)
    assert any(entry.attempts > 1 for entry in writers.entries), "no blow hit a write"
    writers.report("1 API process killed", kills, recoveries)
