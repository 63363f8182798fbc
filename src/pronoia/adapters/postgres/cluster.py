"""The folder and the processes of one embedded PostgreSQL, driven by its own programs."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pronoia.adapters.postgres.account import Account, make_private_folder, write_private_file
from pronoia.adapters.postgres.lock_file import read_lock_file, remove_lock_of_the_dead
from pronoia.adapters.postgres.programs import run_program
from pronoia.domain.errors import ConfigurationError, StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

SUPERUSER = "postgres"
OWNER = "pronoia"
PORT = 5432
"""Names the socket file; nothing listens on the network."""
LOCALES = ("C.UTF-8", "C")
"""The first that this system knows."""
INITIALISE_TIMEOUT_SECONDS = 60.0
START_TIMEOUT_SECONDS = 60
"""A start may have to replay the log of a crash."""
STOP_TIMEOUTS_SECONDS = {"fast": 3, "immediate": 6}
"""In order. An immediate stop kills after five seconds what does not react (PostgreSQL's postmaster.c)."""
LEFTOVER_SECONDS = 10.0
ANSWER_SECONDS = 5.0
POLL_SECONDS = 0.05
MAXIMUM_REPORT_CHARACTERS = 2_000

SETTINGS = """\
# Written by Pronoia at every start. Put settings of your own in local.conf beside this file.
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket_folder}'
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 128MB
fsync = on
synchronous_commit = on
jit = off
autovacuum_naptime = 15s
timezone = 'UTC'
logging_collector = on
log_directory = '../log'
log_filename = 'postgres-%a.log'
log_rotation_age = 1d
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] '
"""
LOCAL_SETTINGS = "include_if_exists = 'local.conf'\n"
ACCESS_RULES = "local all all peer map=pronoia\nlocal replication all peer map=pronoia\n"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One data directory. `programs` is the folder of the programs, `account` who they run as."""

    folder: Path
    programs: Path
    account: Account

    @property
    def log_folder(self) -> Path:
        """Where the server writes its log: a week, a file a day."""
        return self.folder.with_name("log")

    @property
    def lock_path(self) -> Path:
        """The file that names the process of a running server."""
        return self.folder / "postmaster.pid"

    async def initialise(self) -> None:
        """Make the directory unless it exists. It gets its name when it is whole, so a killed attempt leaves none."""
        if await asyncio.to_thread(self.folder.exists):
            return
        log.info("embedded.creating", folder=str(self.folder))
        unfinished = self.folder.with_name(f"{self.folder.name}.new")
        said = ""
        for locale in LOCALES:
            await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
            await asyncio.to_thread(make_private_folder, unfinished, self.account)
            code, said = await run_program(
                self.programs / "initdb",
                *("--pgdata", str(unfinished), "--username", SUPERUSER, "--auth=peer", "--no-instructions"),
                *("--encoding=UTF8", f"--locale={locale}"),
                account=self.account,
                timeout_seconds=INITIALISE_TIMEOUT_SECONDS,
            )
            if code == 0:
                await asyncio.to_thread(unfinished.rename, self.folder)
                return
        raise ConfigurationError(f"The embedded PostgreSQL could not be created in {self.folder}: {said}")

    def configure(self, socket_folder: Path, more: str = "") -> None:
        """Write settings, those of `more` too, and access rules: this account and our own may come in, as two roles."""
        names = sorted({self.account.name, pwd.getpwuid(os.geteuid()).pw_name})
        own = SETTINGS.format(port=PORT, socket_folder=str(socket_folder).replace("'", "''"))
        texts = {
            "postgresql.conf": own + more + LOCAL_SETTINGS,
            "pg_hba.conf": ACCESS_RULES,
            "pg_ident.conf": "".join(f"pronoia {name} {role}\n" for name in names for role in (SUPERUSER, OWNER)),
        }
        for name, text in texts.items():
            write_private_file(self.folder / name, text, self.account)

    async def running(self) -> Path | None:
        """Give the socket folder of the server that answers on this directory, if there is one, once it is ready.

        A process id in a file proves nothing after a restart of the machine; an answer on the socket does. Raises
        StoreUnavailableError if it answers and is not ready in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            lock = await asyncio.to_thread(read_lock_file, self.lock_path)
            if lock is None or lock.socket_folder is None or not await _answers(socket_of(lock.socket_folder)):
                return None
            if lock.is_ready:
                return lock.socket_folder
            await asyncio.sleep(POLL_SECONDS)
        raise StoreUnavailableError(f"The embedded PostgreSQL in {self.folder} is not ready. See {self.log_folder}.")

    async def start(self) -> None:
        """Start the server and wait until it takes connections. Raises StoreUnavailableError with its own words.

        After a crash the processes that it left behind need a moment to see that they are alone and to go.
        """
        crashed = await asyncio.to_thread(self.lock_path.exists)
        deadline = time.monotonic() + (LEFTOVER_SECONDS if crashed else 0)
        while True:
            await asyncio.to_thread(remove_lock_of_the_dead, self.lock_path)
            code, said = await self._start_once()
            if code == 0:
                log.info("embedded.started", folder=str(self.folder))
                return
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        ending = await asyncio.to_thread(_ending, self.log_folder / "start.log")
        raise StoreUnavailableError(
            f"The embedded PostgreSQL did not start: {said}. See {self.log_folder}; it ends with: {ending}"
        )

    async def _start_once(self) -> tuple[int, str]:
        return await run_program(
            self.programs / "pg_ctl",
            *("start", "--silent", "--wait", f"--timeout={START_TIMEOUT_SECONDS}"),
            *("--pgdata", str(self.folder), "--log", str(self.log_folder / "start.log")),
            account=self.account,
            timeout_seconds=START_TIMEOUT_SECONDS + 5,
        )

    async def stop(self) -> None:
        """Stop the server, letting go of open connections; if it has not gone then, without waiting for anything."""
        for mode, seconds in STOP_TIMEOUTS_SECONDS.items():
            code, said = await run_program(
                self.programs / "pg_ctl",
                *("stop", "--silent", "--wait", f"--timeout={seconds}", f"--mode={mode}"),
                *("--pgdata", str(self.folder)),
                account=self.account,
                timeout_seconds=seconds + 1,
            )
            if code == 0:
                log.info("embedded.stopped", folder=str(self.folder), mode=mode)
                return
            log.warning("embedded.stop_failed", mode=mode, reason=said)


def socket_of(folder: Path) -> Path:
    """Give the socket in its folder."""
    return folder / f".s.PGSQL.{PORT}"


async def _answers(socket: Path) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_unix_connection(socket), ANSWER_SECONDS)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _ending(file: Path) -> str:
    text = file.read_text(errors="replace") if file.exists() else ""
    return text[-MAXIMUM_REPORT_CHARACTERS:].strip()
