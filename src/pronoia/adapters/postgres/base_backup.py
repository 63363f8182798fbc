"""A copy of a whole embedded PostgreSQL folder, and its way to a point in time along the archived log."""

from __future__ import annotations

import asyncio
import os
import re
import tarfile
import tempfile
import time
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.account import let_through, make_private_folder, server_account, write_private_file
from pronoia.adapters.postgres.cluster import POLL_SECONDS, PORT, STOP_TIMEOUTS_SECONDS, SUPERUSER, Cluster
from pronoia.adapters.postgres.driver import connect, fetch_one
from pronoia.adapters.postgres.embedded import DATABASE, url_of
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.lock_file import read_lock_file
from pronoia.adapters.postgres.migrations import applied
from pronoia.adapters.postgres.programs import find_programs, read_program, run_program
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.wal_archive import folder_of, restore_setting
from pronoia.domain.errors import BackupError, ConfigurationError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pronoia.adapters.backup.folder import Backup, BackupWriter
    from pronoia.adapters.postgres.embedded import EmbeddedPostgres
    from pronoia.adapters.postgres.migrations import Migration

PART = "base.tar"
BASE_TIMEOUT_SECONDS = RECOVERY_TIMEOUT_SECONDS = 6 * 3600.0
QUERY_TIMEOUT_SECONDS = 30.0
FIRST_SEGMENT = re.compile(rb"START WAL LOCATION: [0-9A-F/]+ \(file ([0-9A-F]{24})\)")
SAID_CHARACTERS = 1_500
RECOVERY = """\
logging_collector = off
hot_standby = off
recovery_target_action = 'promote'
"""
"""Nobody may look in before the point is reached, and what stops it is said where it was started."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a base backup is of."""

    postgres: int
    schema: list[Migration]
    first_segment: str


async def copy_base(server: EmbeddedPostgres, backup: BackupWriter, progress: Callable[[int, int], None]) -> Base:
    """Copy the folder of a running server, with `progress` hearing the bytes and about how many there are.

    Raises ConfigurationError if the log is not archived: then a base would lead nowhere.
    """
    cluster = server.cluster
    socket_folder = await cluster.running()
    if socket_folder is None:
        raise StoreUnavailableError(f"The embedded PostgreSQL in {cluster.folder} does not run.")
    with translated_errors():
        connection = await connect(url_of(socket_folder, SUPERUSER, DATABASE), timeout_seconds=QUERY_TIMEOUT_SECONDS)
        try:
            state = await fetch_one(connection, QUERIES["archiving"])
            schema = await applied(connection)
        finally:
            await connection.close()
    if not state["on"]:
        raise ConfigurationError("The log is not archived. Start the server with --archive-wal FOLDER first.")
    if state["failing"]:
        raise StoreUnavailableError(
            "The log cannot be archived now: see the log of PostgreSQL, and the archive's disk."
        )
    first = await _copy(cluster, socket_folder, backup, lambda size: progress(size, max(size, state["size"])))
    return Base(state["postgres"], schema, first)


async def _copy(cluster: Cluster, socket_folder: Path, backup: BackupWriter, progress: Callable[[int], None]) -> str:
    size, beginning = 0, bytearray()
    with backup.part(PART) as part:

        def take(data: bytes) -> None:
            nonlocal size
            part.write(data)
            if len(beginning) < tarfile.RECORDSIZE:  # backup_label is the first file
                beginning.extend(data)
            size += len(data)
            progress(size)

        code, said = await read_program(
            cluster.programs / "pg_basebackup",
            *("--pgdata=-", "--format=tar", "--wal-method=none", "--checkpoint=fast", "--no-password"),
            *(f"--host={socket_folder}", f"--port={PORT}", f"--username={SUPERUSER}"),
            account=cluster.account,
            take=take,
            timeout_seconds=BASE_TIMEOUT_SECONDS,
        )
        if code != 0:
            raise StoreUnavailableError(f"pg_basebackup failed: {said[-SAID_CHARACTERS:]}")
    found = FIRST_SEGMENT.search(beginning)
    return "" if found is None else found.group(1).decode()


async def restore_base(
    data: Path, backup: Backup, archive: Path, until: datetime | None, progress: Callable[[int], None]
) -> None:
    """Fill a new data folder from a base and the archived log: all of it, or as far as `until`.

    `progress` hears of the bytes unpacked. Raises BackupError if the base and the log do not lead there.
    """
    account = await asyncio.to_thread(server_account)
    data = await asyncio.to_thread(data.resolve)  # programs run in another folder
    unfinished = Cluster(data / "postgres.new", find_programs(), account)
    await asyncio.to_thread(_unpack, backup, unfinished, progress)
    await _recover(unfinished, await asyncio.to_thread(_find_log, archive, unfinished), until)
    await asyncio.to_thread(unfinished.folder.rename, data / "postgres")


def _unpack(backup: Backup, cluster: Cluster, progress: Callable[[int], None]) -> None:
    let_through(cluster.folder.parent, cluster.account)
    let_through(cluster.programs, cluster.account)
    make_private_folder(cluster.log_folder, cluster.account)
    make_private_folder(cluster.folder, cluster.account)
    try:
        with tarfile.open(fileobj=_Pieces(backup.read(PART), progress), mode="r|") as archive:
            archive.extractall(cluster.folder, filter="data")
    except tarfile.TarError as error:
        raise BackupError(f"{PART} is damaged: {error}.", part=PART) from error
    if cluster.account.is_other:
        for folder, _, names in os.walk(cluster.folder):
            os.chown(folder, cluster.account.user, cluster.account.group)
            for name in names:
                os.chown(Path(folder) / name, cluster.account.user, cluster.account.group)


def _find_log(archive: Path, cluster: Cluster) -> Path:
    log = folder_of(archive.resolve(), cluster.folder)
    if not log.is_dir():
        raise ConfigurationError(f"{archive} holds no log of this database ({log} is missing). Give its --archive.")
    let_through(log, cluster.account)
    return log


async def _recover(cluster: Cluster, log: Path, until: datetime | None) -> None:
    """Let the server go through the log, and stop it where it arrived."""
    settings = RECOVERY + restore_setting(log)
    if until is not None:
        settings += f"recovery_target_time = '{until.isoformat()}'\n"
    said = cluster.log_folder / "recovery.log"
    with tempfile.TemporaryDirectory(prefix="pronoia-") as name:
        sockets = Path(name) / "s"
        let_through(Path(name), cluster.account)
        make_private_folder(sockets, cluster.account)
        cluster.configure(sockets, settings)
        write_private_file(cluster.folder / "recovery.signal", "", cluster.account)
        code, told = await _control(cluster, "start", RECOVERY_TIMEOUT_SECONDS, "--log", str(said))
        if code != 0 or not await _has_arrived(cluster):
            text = said.read_text(errors="replace") if said.exists() else told
            reasons = re.findall(r"FATAL:\s+(.+)", text)
            reason = reasons[0] if reasons else text[-SAID_CHARACTERS:]
            raise BackupError(f"The base and the archived log do not lead there: {reason}.", part=PART)
        for mode, seconds in STOP_TIMEOUTS_SECONDS.items():
            if (await _control(cluster, "stop", seconds + RECOVERY_TIMEOUT_SECONDS, f"--mode={mode}"))[0] == 0:
                return
    raise StoreUnavailableError(f"The restored PostgreSQL in {cluster.folder} did not stop.")


async def _has_arrived(cluster: Cluster) -> bool:
    """Wait until the server has gone through the log; false if it gave up, and ended."""
    deadline = time.monotonic() + RECOVERY_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        lock = await asyncio.to_thread(read_lock_file, cluster.lock_path)
        if lock is None or lock.is_ready:
            return lock is not None
        await asyncio.sleep(POLL_SECONDS)
    raise TimeoutError("The log was not gone through in time.")


async def _control(cluster: Cluster, verb: str, seconds: float, *more: str) -> tuple[int, str]:
    return await run_program(
        cluster.programs / "pg_ctl",
        *(verb, "--silent", "--wait", f"--timeout={round(seconds)}", "--pgdata", str(cluster.folder), *more),
        account=cluster.account,
        timeout_seconds=seconds + 5,
    )


class _Pieces(RawIOBase):
    """Pieces of any size as a file that is read from its beginning to its end."""

    def __init__(self, pieces: Iterator[bytes], progress: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._progress = progress
        self._waiting = b""

    def read(self, size: int = -1, /) -> bytes:
        """Give as many bytes; fewer only at the end."""
        parts = [self._waiting]
        length = len(self._waiting)
        while length < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._progress(len(piece))
            parts.append(piece)
            length += len(piece)
        data = b"".join(parts)
        self._waiting = data[size:]
        return data[:size]
