"""A PostgreSQL of our own in a data folder, for those who have none: started on demand, shared, stopped by the last.

Only a socket in a folder of mode 0700 leads to it, and the server asks the kernel who is at the other end.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

from pronoia.adapters.postgres.account import Account, let_through, make_private_folder, server_account
from pronoia.adapters.postgres.cluster import OWNER, PORT, SUPERUSER, Cluster, socket_of
from pronoia.adapters.postgres.driver import connect
from pronoia.adapters.postgres.folder_lock import FolderLock, alone
from pronoia.adapters.postgres.migrations import prepare_database
from pronoia.adapters.postgres.programs import find_programs
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.wal_archive import archive_settings, folder_of
from pronoia.domain.errors import ConfigurationError, StoreUnavailableError

DATABASE = "pronoia"
SOCKET_PATH_LIMIT = 107
"""Bytes that Linux allows for the path of a socket (unix(7)), the closing zero excluded."""
CREATE_TIMEOUT_SECONDS = 30.0


class EmbeddedPostgres:
    """Holds the server of one data folder from start() to stop().

    Any number of processes may hold the same one. The last to stop takes the server down; one that is killed counts
    as stopped, and the server it leaves behind is taken over by the next to start.

    `archive` is where its log is kept for a restore to a point in time. It is remembered in the data folder: were it
    forgotten by one who starts the server for a moment, the archive would have a hole.
    """

    def __init__(self, data_folder: Path, *, programs: Path | None = None, archive: Path | None = None) -> None:
        self._data = data_folder.resolve()
        self._archive = None if archive is None else archive.resolve()
        self._programs = programs
        self._cluster: Cluster | None = None
        self._holders = FolderLock(self._data / "holders.lock")

    async def start(self) -> str:
        """Start the server unless it runs, and give the URL of its database.

        Raises ConfigurationError if it can never start as things are, StoreUnavailableError if it did not start now.
        """
        programs = self._programs or find_programs()
        account = await asyncio.to_thread(server_account)
        cluster = Cluster(self._data / "postgres", programs, account)
        try:
            await asyncio.to_thread(self._make_folders, cluster)
            async with alone(self._data / "start.lock"):
                self._holders.share()
                socket_folder = await self._ensure_running(cluster)
        except PermissionError as error:
            raise ConfigurationError(
                f"The data folder {self._data} belongs to another user ({error}). Start as the user that made it, "
                "or choose another folder."
            ) from error
        self._cluster = cluster
        return url_of(socket_folder, OWNER, DATABASE)

    async def stop(self) -> None:
        """Let go of the server, and stop it within ten seconds if nobody else holds it."""
        cluster, self._cluster = self._cluster, None
        if cluster is None:
            return
        async with alone(self._data / "start.lock"):
            self._holders.release()
            try:
                if self._holders.try_alone() and await cluster.running() is not None:
                    await cluster.stop()
            finally:
                self._holders.release()

    @property
    def cluster(self) -> Cluster:
        """The server, between start() and stop()."""
        if self._cluster is None:
            raise StoreUnavailableError("The embedded PostgreSQL was not started.")
        return self._cluster

    async def _ensure_running(self, cluster: Cluster) -> Path:
        try:
            socket_folder = await cluster.running()
            if socket_folder is None:
                await cluster.initialise()
                socket_folder = await asyncio.to_thread(self._choose_socket_folder, cluster.account)
                archiving = await asyncio.to_thread(self._prepare_archive, cluster)
                await asyncio.to_thread(cluster.configure, socket_folder, archiving)
                await cluster.start()
            else:
                self._check_archive()
            await self._create_database(socket_folder)
        except BaseException:
            self._holders.release()
            raise
        return socket_folder

    def _make_folders(self, cluster: Cluster) -> None:
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        let_through(self._data, cluster.account)
        let_through(cluster.programs, cluster.account)
        make_private_folder(cluster.log_folder, cluster.account)

    def _choose_socket_folder(self, account: Account) -> Path:
        """Take the data folder, or where the socket's path would be too long, a private folder that is noted there."""
        folder = self._data / "socket"
        if len(os.fsencode(socket_of(folder))) > SOCKET_PATH_LIMIT:
            note = self._data / "socket_folder"
            folder = Path(note.read_text()) if note.exists() else folder
            if not note.exists() or not folder.is_dir() or folder.stat().st_uid != account.user:
                folder = Path(tempfile.mkdtemp(prefix="pronoia-"))
                note.write_text(str(folder))
        make_private_folder(folder, account)
        return folder

    def _check_archive(self) -> None:
        if self._archive not in {None, self._noted_archive()}:
            raise ConfigurationError(
                f"The database in {self._data} already runs and does not archive into {self._archive}. "
                "Stop what uses it, and start again."
            )

    def _noted_archive(self) -> Path | None:
        note = self._data / "wal_archive"
        return Path(note.read_text()) if note.exists() else None

    def _prepare_archive(self, cluster: Cluster) -> str:
        """Make the folder that the log is archived into, and give the settings for it; none without an archive."""
        archive = self._archive or self._noted_archive()
        if archive is None:
            return ""
        archive.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder_of(archive, cluster.folder)
        make_private_folder(folder, cluster.account)
        let_through(archive, cluster.account)
        (self._data / "wal_archive").write_text(str(archive))
        return archive_settings(folder)

    async def _create_database(self, socket_folder: Path) -> None:
        """Create once what only a superuser may: the owner, the database, the extension, the role without rights."""
        marker = self._data / "created"
        if await asyncio.to_thread(marker.exists):
            return
        connection = await connect(url_of(socket_folder, SUPERUSER, "postgres"), timeout_seconds=CREATE_TIMEOUT_SECONDS)
        try:
            if not await connection.fetchval(QUERIES["role_exists"], OWNER):
                await connection.execute(QUERIES["create_owner"])
            if not await connection.fetchval(QUERIES["database_exists"], DATABASE):
                await connection.execute(QUERIES["create_database"])
        finally:
            await connection.close()
        connection = await connect(url_of(socket_folder, SUPERUSER, DATABASE), timeout_seconds=CREATE_TIMEOUT_SECONDS)
        try:
            await prepare_database(connection)
            await connection.execute(QUERIES["let_owner_become_app"])
        finally:
            await connection.close()
        await asyncio.to_thread(marker.touch)


def url_of(socket_folder: Path, user: str, database: str) -> str:
    """Write the URL of a database behind a socket."""
    return f"postgresql://{user}@/{database}?host={quote(str(socket_folder), safe='')}&port={PORT}"
