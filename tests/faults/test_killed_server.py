"""Kills the API process again and again while clients write. Their ledgers say afterwards what must be there."""

from __future__ import annotations

import multiprocessing
import os
import random
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest
import uvicorn

from pronoia.config import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerProcess

    from conftest import RunningServer

KILLS = 200
WRITERS = 4
LONGEST_DELAY_SECONDS = 0.05
BATCH = 3
WAIT_SECONDS = 60


def serve(listener: socket.socket, database_url: str) -> None:
    """Be the API process."""
    os.environ[PREFIX + "DATABASE_URL"] = database_url
    config = uvicorn.Config("pronoia.app:create", factory=True, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


@dataclass
class Entry:
    """One write: what was asked, and what the server acknowledged."""

    path: str
    body: dict[str, object]
    texts: list[str]
    attempts: int = 0
    ids: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return bool(self.ids)


class Writer(threading.Thread):
    """Writes until it is stopped. A write whose outcome is unknown is sent again with its key until it is known."""

    def __init__(self, url: str, headers: dict[str, str], seed: int, acknowledged: threading.Semaphore) -> None:
        super().__init__(name=f"writer-{seed}")
        self.ledger: list[Entry] = []
        self.failure: Exception | None = None
        self.stopping = threading.Event()
        self._url = url
        self._headers = headers
        self._random = random.Random(seed)  # noqa: S311 - a schedule of writes
        self._acknowledged = acknowledged

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                entry = self._next()
                self.ledger.append(entry)
                self._send(entry)
        except Exception as error:  # noqa: BLE001 - the test raises it
            self.failure = error

    def _next(self) -> Entry:
        texts = [f"{self.name} wrote {uuid4().hex}" for _ in range(self._random.choice((1, 1, BATCH)))]
        if len(texts) == 1:
            return Entry("/api/v1/memories", {"text": texts[0]}, texts)
        return Entry("/api/v1/memories/batch", {"memories": [{"text": text} for text in texts]}, texts)

    def _send(self, entry: Entry) -> None:
        headers = {**self._headers, "Idempotency-Key": uuid4().hex}
        while not entry.acknowledged:
            entry.attempts += 1
            try:
                # A connection of its own, so that none is left over from a dead process.
                answer = httpx2.post(self._url + entry.path, json=entry.body, headers=headers, timeout=WAIT_SECONDS)
            except httpx2.TransportError:
                continue
            assert answer.status_code == 201, answer.text
            entry.ids = [memory["id"] for memory in answer.json().get("memories", [answer.json()])]
            self._acknowledged.release()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Hold the port while the processes behind it die: what arrives in between waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener


def start(listener: socket.socket, database_url: str) -> ForkServerProcess:
    """Start an API process from a parent that has imported everything: 200 starts take a minute, not five."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pronoia.app", "uvicorn"])
    process = context.Process(target=serve, args=(listener, database_url), daemon=True)
    process.start()
    return process


def kill_while_writing(
    listener: socket.socket, database_url: str, writers: list[Writer], acknowledged: threading.Semaphore, seed: int
) -> None:
    delays = random.Random(seed)  # noqa: S311 - a schedule of blows
    process = start(listener, database_url)
    for writer in writers:
        writer.start()
    for _ in range(KILLS):
        while acknowledged.acquire(blocking=False):
            pass
        assert acknowledged.acquire(timeout=WAIT_SECONDS), "no write was acknowledged"
        # The moment of the blow is what the test varies; nothing is waited for.
        time.sleep(delays.uniform(0, LONGEST_DELAY_SECONDS))
        process.kill()
        process.join()
        process = start(listener, database_url)
    for writer in writers:
        writer.stopping.set()
    for writer in writers:
        writer.join(WAIT_SECONDS)
        assert not writer.is_alive()


def stored(url: str, headers: dict[str, str]) -> dict[str, list[str]]:
    """Give the ids of every text that is there, page by page."""
    found: dict[str, list[str]] = {}
    cursor: str | None = ""
    with httpx2.Client(base_url=url, headers=headers, timeout=WAIT_SECONDS) as http:
        while cursor is not None:
            page = http.get("/api/v1/memories", params={"limit": 1000, "cursor": cursor}).json()
            for memory in page["memories"]:
                found.setdefault(memory["text"], []).append(memory["id"])
            cursor = page["next_cursor"]
    return found


def test_two_hundred_killed_servers_lose_no_acknowledged_write_and_do_none_twice(
    server: RunningServer, listener: socket.socket
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    user = f"user-{uuid4().hex}"
    headers = {"X-API-Key": server.service_key, "X-User-ID": user}
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    acknowledged = threading.Semaphore(0)
    writers = [Writer(url, headers, seed + number, acknowledged) for number in range(WRITERS)]
    kill_while_writing(listener, server.database_url, writers, acknowledged, seed)
    failures = [writer.failure for writer in writers if writer.failure is not None]
    assert not failures

    ledger = [entry for writer in writers for entry in writer.ledger]
    there = stored(server.url, headers)
    assert all(entry.acknowledged for entry in ledger)
    assert there == {
        text: [memory_id] for entry in ledger for text, memory_id in zip(entry.texts, entry.ids, strict=True)
    }
    assert any(entry.attempts > 1 for entry in ledger), "no blow hit a write"
