"""Real processes to hurt: a PostgreSQL of one's own, and `pronoia serve` beside it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx2
import psutil

from processes import has_ended
from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.migrations import migrate
from pronoia.adapters.postgres.programs import run_program
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PRONOIA = str(Path(sys.executable).with_name("pronoia"))
START_SECONDS = 60
STOP_SECONDS = 30
POLL_SECONDS = 0.05
LONG = os.environ.get("FAULTS") == "long"
"""Set FAULTS=long for the full number of faults; the short form is for every run of the tests."""


def times(short: int, long: int) -> int:
    """Give how often to do something."""
    return long if LONG else short


class OwnPostgres:
    """A server that may be crashed, with one migrated database."""

    def __init__(self, folder: Path, *, archive: Path | None = None) -> None:
        self._server = EmbeddedPostgres(folder, archive=archive)
        self.url = asyncio.run(self._server.start())
        asyncio.run(migrate(self.url))

    @property
    def socket(self) -> Path:
        return Path(parse_qs(urlsplit(self.url).query)["host"][0]) / ".s.PGSQL.5432"

    def url_through(self, port: int) -> str:
        """Give the URL of the database behind a proxy of ours."""
        return f"postgresql://pronoia@127.0.0.1:{port}/pronoia?sslmode=disable"

    def query(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask as the superuser."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.url.replace("pronoia@", "postgres@"), timeout=10)
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        return asyncio.run(run())

    def end_leases(self) -> None:
        """Let the time pass after which work is offered again that somebody took and did not finish."""
        self.query("update work set available_at = now()")

    def crash(self) -> None:
        """Stop at once as after a loss of power, and start again."""
        asyncio.run(self._crash())

    async def _crash(self) -> None:
        cluster = self._server._cluster
        stop = ("stop", "--silent", "--wait", "--mode=immediate", "--pgdata", str(cluster.folder))
        code, said = await run_program(cluster.programs / "pg_ctl", *stop, account=cluster.account, timeout_seconds=30)
        assert code == 0, said
        await cluster.start()

    def stop(self) -> None:
        asyncio.run(self._server.stop())

    def key(self, organisation_id: UUID | None = None) -> str:
        """Make a service key, by default of an organisation of its own."""

        async def run() -> str:
            database = await Database.open(self.url, connections=2, timeout_seconds=10)
            keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
            _, text = await keys.create(
                user_id=None, plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=organisation_id or uuid4()
            )
            await database.close()
            return text

        return asyncio.run(run())


@dataclass(frozen=True)
class FaultyServer:
    """Pronoia in a process of its own."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def port(self) -> int:
        return urlsplit(self.url).port

    def family(self) -> list[psutil.Process]:
        """Give the process and its workers."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def workers(self) -> list[psutil.Process]:
        """Give the workers that run, the oldest first."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if "spawn_main" in " ".join(child.cmdline()) and not has_ended(child):
                    found.append(child)
        return sorted(found, key=psutil.Process.create_time)


@contextmanager
def serving(
    database_url: str, log: Path, *arguments: str, prefix: tuple[str, ...] = (), **environment: str
) -> Iterator[FaultyServer]:
    """Run a server until left; settings are given as environment variables."""
    command = [*prefix, PRONOIA, "serve", "--port", "0", "--json", "--database-url", database_url, *arguments]
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **environment}
        )
        port = _announced_port(process, log)
        server = FaultyServer(f"http://127.0.0.1:{port}", process, log)
        try:
            until(lambda: httpx2.get(f"{server.url}/health", timeout=5).is_success, START_SECONDS)
            yield server
        finally:
            for one in server.family():
                with suppress(psutil.NoSuchProcess):
                    one.resume()
            process.terminate()
            try:
                process.communicate(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                for one in server.family():
                    one.kill()
                process.communicate()
                raise


def _announced_port(process: subprocess.Popen[str], log: Path) -> int:
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            return int(json.loads(text)["port"])
    raise AssertionError(f"The server did not start: {log.read_text()}")


def until(condition: Callable[[], object], seconds: float) -> float:
    """Ask until it holds, and give how many seconds that took. What cannot be asked yet does not hold."""
    started = time.monotonic()
    while True:
        with suppress(httpx2.TransportError, OSError, asyncpg.PostgresError):
            if condition():
                return time.monotonic() - started
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(POLL_SECONDS)
