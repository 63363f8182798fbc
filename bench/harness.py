"""A server on one core; PostgreSQL and the load on the other."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import psutil

from client import Connection
from pronoia.adapters.postgres.driver import connect
from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.migrations import migrate
from pronoia.benchmark.load.texts import sentence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.adapters.postgres.driver import Connection as Database

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
PRONOIA = Path(sys.executable).with_name("pronoia")


class Server:
    """A running server, its database, and a key that may name any user."""

    def __init__(self, database_url: str, port: int, key: str, process: subprocess.Popen[bytes]) -> None:
        self.database_url = database_url
        self.port = port
        self.key = key
        self.process = process

    def connection(self) -> Connection:
        """Make a client that is not connected yet."""
        return Connection(self.port, self.key)

    def memory_bytes(self) -> int:
        """Give the resident memory of the server process; PostgreSQL runs outside of it."""
        return psutil.Process(self.process.pid).memory_info().rss


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """Run an embedded PostgreSQL on the core of the load, and give the URL of its migrated database."""
    os.sched_setaffinity(0, {LOAD_CORE})
    with TemporaryDirectory(prefix="pronoia-bench-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder) / "data")
        url = await server.start()
        try:
            await migrate(url)
            yield url
        finally:
            await server.stop()


@asynccontextmanager
async def serving(database_url: str) -> AsyncIterator[Server]:
    """Run a server on its core until it is left."""
    key = subprocess.run(  # noqa: ASYNC221, S603  # nothing else runs yet; our own program
        [PRONOIA, "keys", "create", "--database-url", database_url, "--service", "--quiet"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    port = free_port()
    process = subprocess.Popen(  # noqa: ASYNC220, S603  # the same
        [PRONOIA, "serve", "--database-url", database_url, "--port", str(port)], stderr=subprocess.DEVNULL
    )
    os.sched_setaffinity(process.pid, {SERVER_CORE})
    try:
        await until_answered(port)
        yield Server(database_url, port, key, process)
    finally:
        process.terminate()
        process.wait(30)


async def until_answered(port: int) -> None:
    """Wait until the server answers. The bench may poll: it is no test."""
    while True:
        try:
            async with Connection(port, "") as connection:
                await connection.send(connection.request("GET", "/health/ready"))
                return
        except OSError:
            await asyncio.sleep(0.01)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def fill(server: Server, user: str, memories: int) -> None:
    """Store memories for a user, a hundred at once."""
    async with server.connection() as connection:
        for first in range(0, memories, 100):
            batch = [{"text": sentence(number)} for number in range(first, first + 100)]
            await connection.send(connection.request("POST", "/api/v1/memories/batch", {"memories": batch}, user))


async def bare_inserts(database_url: str, clients: int, writes: int) -> None:
    """Insert and commit single rows of a memory's size in a table without rights, keys or indexes."""
    connections = [await connect(database_url, timeout_seconds=60) for _ in range(clients)]
    table = f"bare_{uuid4().hex}"
    await connections[0].execute(f"create table {table} (id uuid, text text, terms bytea, embedding halfvec(256))")
    values = (uuid4(), sentence(1), bytes(48), "[" + ",".join(["0.1"] * 256) + "]")
    statement = f"insert into {table} values ($1, $2, $3, $4::text::halfvec)"  # noqa: S608  # our own name

    async def write(connection: Database, count: int) -> None:
        for _ in range(count):
            await connection.execute(statement, *values)

    await asyncio.gather(*(write(one, writes // clients) for one in connections))
    for one in connections:
        await one.close()
