"""The server under load: one of our own on a core of its own, or one that runs already."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import connect
from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.migrations import migrate
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.transactions import Database
from pronoia.benchmark.load.mix import User, post
from pronoia.benchmark.load.texts import sentence
from pronoia.domain.errors import ConfigurationError, UnavailableError
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

BATCH = 100
FILLERS = 4
START_SECONDS = 60.0
SETTLE_SECONDS = 600.0
POLL_SECONDS = 0.1
ANSWER_SECONDS = 60.0
PORT_LINE = b'"port": '


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send requests, and whose."""

    host: str
    port: int
    users: Sequence[User]
    process: int | None = None
    """The server's process, where it is ours to look at."""
    database_url: str | None = None

    def resident_bytes(self) -> int:
        """Give the server's resident memory, 0 where it cannot be known."""
        statistics = Path(f"/proc/{self.process}/statm")
        if self.process is None or not statistics.exists():
            return 0
        return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def scratch_target(users: int, settings: Mapping[str, str]) -> AsyncGenerator[Target]:
    """Run a server and its PostgreSQL until left, and make a key for each user.

    Where there are two cores, the server has the first alone; PostgreSQL and this process stay on the last.
    `settings` are environment variables for the server.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[-1]})
    try:
        with TemporaryDirectory(prefix="pronoia-load-", ignore_cleanup_errors=True) as folder:
            postgres = EmbeddedPostgres(Path(folder) / "data")
            url = await postgres.start()
            try:
                await migrate(url)
                named = await _make_keys(url, users)
                async with _serving(url, cores[:1] if len(cores) > 1 else [], settings) as (process, port):
                    yield Target("127.0.0.1", port, named, process, url)
            finally:
                await postgres.stop()
    finally:
        if len(cores) > 1:
            os.sched_setaffinity(0, cores)


async def _make_keys(url: str, users: int) -> list[User]:
    database = await Database.open(url, connections=2, timeout_seconds=ANSWER_SECONDS)
    keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
    try:
        return [
            User(
                name,
                (
                    await keys.create(
                        user_id=name,
                        plan=Plan.ENTERPRISE,
                        permissions={Permission.READ, Permission.WRITE, Permission.LEARN},
                        organisation_id=DEFAULT_ORGANISATION,
                    )
                )[1],
            )
            for name in names(users)
        ]
    finally:
        await database.close()


def names(users: int) -> list[str]:
    """Name the users of the load."""
    return [f"load-{number}" for number in range(users)]


@asynccontextmanager
async def _serving(url: str, cores: Sequence[int], settings: Mapping[str, str]) -> AsyncGenerator[tuple[int, int]]:
    pronoia = Path(sys.executable).with_name("pronoia")
    process = subprocess.Popen(  # noqa: ASYNC220, S603 - starts in no time; our own program
        [pronoia, "serve", "--database-url", url, "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PRONOIA_LOG_LEVEL": "error", **settings},
    )
    try:
        if cores:
            os.sched_setaffinity(process.pid, cores)
        port = await asyncio.to_thread(_announced_port, process)
        await _until_it_listens(port)
        yield process.pid, port
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, START_SECONDS)


def _announced_port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    for line in process.stdout:
        if PORT_LINE in line:
            return int(line.partition(PORT_LINE)[2].strip(b" ,\n"))
    raise UnavailableError("The server did not start. Try `pronoia serve`.")


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(POLL_SECONDS)
            else:
                writer.close()
                return


async def fill(target: Target, memories: int, advance: Callable[[], None]) -> None:
    """Store so many memories for each user, once within a day however often it is run. `advance` is told of users.

    Raises ConfigurationError if the server refuses, OSError or EOFError if it does not answer.
    """
    left = list(target.users)

    async def work() -> None:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        while left:
            user = left.pop()
            for first in range(0, memories, BATCH):
                texts = [{"text": sentence(number)} for number in range(first, min(first + BATCH, memories))]
                key = f"pronoia-load-{memories}-{first}"
                writer.write(post(target.host, user, "/api/v1/memories/batch", {"memories": texts}, key))
                await _successful_answer(reader)
            advance()
        writer.close()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(FILLERS):
                group.create_task(work())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _successful_answer(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(ANSWER_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 2"):
        raise ConfigurationError(f"The server did not store what the load is about: {body[:500].decode()}")


async def settle(target: Target) -> None:
    """Wait until the server has done what the writes left behind, where its database can be asked."""
    if target.database_url is None:
        return
    connection = await connect(target.database_url, timeout_seconds=ANSWER_SECONDS)
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while await connection.fetchval(QUERIES["work_left"]):  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()
