from __future__ import annotations

import asyncio
import http.client
import os
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from database_administration import address, administer
from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.migrations import migrate, prepare_database
from pronoia.adapters.postgres.transactions import Database
from pronoia.config import PREFIX
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import BinaryIO

TEMPLATE = "pronoia_template"
NEVER_DEGRADED = {
    "PRONOIA_DEGRADATION_HIGH_LOAD_THRESHOLD": "3",
    "PRONOIA_DEGRADATION_CRITICAL_LOAD_THRESHOLD": "3",
}
"""Tests share the machine with each other, and what it has no time for is not what they are about."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped where nothing may be."""
    if _may_not_skip() and "skipped" in terminalreporter.stats:
        terminalreporter.section("In CI nothing may be skipped", red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in CI that skipped a test: a package that it needs is missing there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    # A process that runs a part of the tests for another reports nothing itself.
    if reporter and exitstatus == pytest.ExitCode.OK and _may_not_skip() and "skipped" in reporter.stats:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _may_not_skip() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> None:
    """Keep settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Run one embedded server for the whole session and give the URL of its own, unmigrated database."""
    with TemporaryDirectory(prefix="pronoia-") as folder:
        server = EmbeddedPostgres(Path(folder))
        url = asyncio.run(server.start())
        # Nobody needs these databases after a crash; dropping one waits for the disk. Faults have servers of theirs.
        administer(url, "alter system set fsync = off", "select pg_reload_conf()")
        yield url
        asyncio.run(server.stop())


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """Give a data folder. Not under pytest's own, which each new session closes to the account of the server."""
    with TemporaryDirectory(prefix="pronoia-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "data"


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """Make the migrated database that the others are copied from."""

    async def prepare(url: str) -> None:
        connection = await asyncpg.connect(address(url, user="postgres"), timeout=10)
        await prepare_database(connection)
        await connection.close()
        await migrate(url)

    administer(postgres_url, f"create database {TEMPLATE} owner pronoia")
    asyncio.run(prepare(address(postgres_url, database=TEMPLATE)))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_url: str, template: str) -> Iterator[str]:
    """Give the URL of a fresh, migrated database; its owner is not a superuser."""
    name = f"test_{uuid4().hex}"
    administer(postgres_url, f"create database {name} owner pronoia template {template} strategy file_copy")
    yield address(postgres_url, database=name)
    administer(postgres_url, f"drop database {name} with (force)")


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """Give the URL of a database with pgvector and nothing else."""
    name = f"test_{uuid4().hex}"
    administer(postgres_url, f"create database {name} owner pronoia")
    url = address(postgres_url, database=name)
    administer(url, "create extension vector")
    yield url
    administer(postgres_url, f"drop database {name} with (force)")


@dataclass(frozen=True)
class RunningServer:
    """Pronoia in a process of its own."""

    url: str
    key: str
    """Of one user, `ada`."""
    service_key: str
    database_url: str


async def make_keys(database_url: str, *users: str | None) -> list[str]:
    """Make a key of each user, or of any user for None."""
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
    made = [
        await keys.create(
            user_id=user, plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=DEFAULT_ORGANISATION
        )
        for user in users
    ]
    await database.close()
    return [secret for _, secret in made]


@pytest.fixture
def new_key(server: RunningServer) -> str:
    """Give the key of a user without memories."""
    return asyncio.run(make_keys(server.database_url, f"user-{uuid4().hex}"))[0]


@pytest.fixture(scope="session")
def server(postgres_url: str, template: str) -> Iterator[RunningServer]:
    """Run one server for the whole session; tests keep apart by users."""
    administer(postgres_url, f"create database served owner pronoia template {template}")
    database_url = address(postgres_url, database="served")
    # All tests come from one address, and many of them are to be refused.
    with running_server(database_url, PRONOIA_ANONYMOUS_RATE_LIMIT="100000") as running:
        yield running


@pytest.fixture(scope="session")
def limited_servers(postgres_url: str, template: str) -> Iterator[list[RunningServer]]:
    """Run two servers on one database with the documented limits, which believe X-Forwarded-For of this machine."""
    administer(postgres_url, f"create database limited owner pronoia template {template}")
    url = address(postgres_url, database="limited")
    environment = {"PRONOIA_TRUSTED_PROXIES": "127.0.0.1", "PRONOIA_CORS_ORIGINS": "https://app.example"}
    with running_server(url, **environment) as one, running_server(url, **environment) as other:
        yield [one, other]


@pytest.fixture
def logged_server(database_url: str, tmp_path: Path) -> Iterator[tuple[RunningServer, Path]]:
    """Run a server of one's own, and give the file that its log goes to."""
    path = tmp_path / "server.log"
    with path.open("wb") as log, running_server(database_url, log=log, PRONOIA_LOG_LEVEL="debug") as running:
        yield running, path


@pytest.fixture(scope="session")
def shut_out() -> Callable[[str], AbstractContextManager[None]]:
    """Give what lets nobody into a database for a while, and puts out who is in it."""

    @contextmanager
    def shut(url: str) -> Iterator[None]:
        name, elsewhere = urlsplit(url).path.lstrip("/"), address(url, database="postgres")
        administer(
            elsewhere,
            f"alter database {name} allow_connections false",
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'",  # noqa: S608 - ours
        )
        try:
            yield
        finally:
            administer(elsewhere, f"alter database {name} allow_connections true")

    return shut


@pytest.fixture(scope="session")
def make_key() -> Callable[..., str]:
    """Give what makes a key of `ada` with some permissions."""

    async def make(database_url: str, permissions: Sequence[Permission]) -> str:
        database = await Database.open(database_url, connections=2, timeout_seconds=10)
        keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
        _, secret = await keys.create(
            user_id="ada", plan=Plan.ENTERPRISE, permissions=permissions, organisation_id=DEFAULT_ORGANISATION
        )
        await database.close()
        return secret

    return lambda database_url, *permissions: asyncio.run(make(database_url, permissions))


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[RunningServer]]:
    """Give what runs a server with settings of one's own on a database."""
    return running_server


@contextmanager
def running_server(database_url: str, *, log: BinaryIO | None = None, **environment: str) -> Iterator[RunningServer]:
    key, service_key = asyncio.run(make_keys(database_url, "ada", None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = subprocess.Popen(  # noqa: S603 - our own server
            [
                *(sys.executable, "-m", "uvicorn", "pronoia.app:create", "--factory"),
                *("--no-proxy-headers", "--fd", str(listener.fileno())),
            ],
            env={**os.environ, **NEVER_DEGRADED, "PRONOIA_DATABASE_URL": database_url, **environment},
            pass_fds=(listener.fileno(),),
            stderr=log,
        )
        try:
            wait_until_it_answers(port, process)
            yield RunningServer(f"http://127.0.0.1:{port}", key, service_key, database_url)
        finally:
            process.terminate()
            process.wait(20)


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    """Ask for the health until there is an answer; the socket queues the question while the server starts."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/health")
        assert connection.getresponse().status == HTTPStatus.OK
    assert process.poll() is None
