"""A real PgBouncer for the tests, of Debian's package pgbouncer."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from pronoia.adapters.postgres.account import make_private_folder, server_account
from pronoia.adapters.postgres.transactions import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

POOL_SIZE = 2
SHIPPED = Path(__file__).parents[1] / "deploy" / "pgbouncer.ini"
OURS = """
listen_port = {listen_port}
auth_type = trust
auth_file = {folder}/users
default_pool_size = {pool_size}
min_pool_size = 0
reserve_pool_size = 0
query_wait_timeout = 30
{tls}
[databases]
* = host={host} port={port}
"""
TLS = """
client_tls_sslmode = require
client_tls_cert_file = {certificate}
client_tls_key_file = {key}
"""


@dataclass(frozen=True)
class Way:
    """A way to a database, through the pooler or not."""

    url: str
    direct_url: str
    pooler: bool

    async def open(self, *, connections: int = 10, timeout_seconds: float = 10.0, **options: object) -> Database:
        return await Database.open(
            self.url, connections=connections, timeout_seconds=timeout_seconds, pooler=self.pooler, **options
        )


@contextmanager
def running_pgbouncer(database_url: str, *, tls: tuple[Path, Path] | None = None) -> Iterator[Way]:
    """Put a pooler with the shipped settings, but POOL_SIZE connections, before a server; give the way through it.

    With a certificate and its key it takes no connection without TLS. It refuses to run as root, and the server lets in
    only the account that it runs as itself.
    """
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("needs the Debian package pgbouncer")
    parts, account = urlsplit(database_url), server_account()
    place = parse_qs(parts.query)
    with TemporaryDirectory(prefix="pronoia-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        make_private_folder(folder, account)
        port = _free_port()
        (folder / "users").write_text(f'"{parts.username}" ""\n')
        ours = OURS.format(
            host=place["host"][0], port=place["port"][0], listen_port=port, folder=folder, pool_size=POOL_SIZE,
            tls="" if tls is None else _tls(folder, *tls),
        )  # fmt: skip
        (folder / "pgbouncer.ini").write_text(SHIPPED.read_text() + ours)
        process = subprocess.Popen(  # noqa: S603 - Debian's
            [program, *(("-u", account.name) if account.is_other else ()), f"{folder}/pgbouncer.ini"],
            stderr=subprocess.PIPE,
            text=True,
        )
        # It writes a line for each connection, and stands still once nobody reads them.
        reader = Thread(target=process.stderr.read)
        try:
            while "process up" not in process.stderr.readline():
                assert process.poll() is None
            reader.start()
            yield Way(f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}", database_url, pooler=True)
        finally:
            process.kill()
            process.wait(10)
            reader.join(10)
            process.stderr.close()


def _tls(folder: Path, *files: Path) -> str:
    """Copy a certificate and its key to where the pooler may read them."""
    certificate, key = (shutil.copyfile(file, folder / file.name) for file in files)
    return TLS.format(certificate=certificate, key=key)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]
