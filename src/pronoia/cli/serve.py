from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from pronoia.adapters.postgres.folder_lock import FolderLock
from pronoia.adapters.postgres.migrations import migrate
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.telemetry.logs import configure_logs
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.adapters.telemetry.workers import VARIABLE
from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.first_key import ensure_first_key, welcome
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.storage import audit_folder, embedded_server
from pronoia.composition.encryption import open_texts
from pronoia.config import Settings, to_environment
from pronoia.domain.audit import SYSTEM, acting
from pronoia.domain.errors import ConfigurationError
from pronoia.faces.http.protocol import BoundedProtocol
from pronoia.faces.http.tls import certificate_context

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from ssl import SSLContext
    from types import FrameType

WORKER_START_SECONDS = 30
WAITING_CONNECTIONS = 256
"""Not accepted yet. They are accepted in turn, so in an overload the clients of a longer queue would have given up."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "serve",
        epilog=examples(
            "pronoia serve --first-key                 # with a key and a sample memory on the first start",
            "pronoia serve --data /var/lib/pronoia --host 0.0.0.0 --port 80 --workers 4",
            "pronoia serve --tls-cert server.pem --tls-key server.key",
            "pronoia serve --database-url postgresql://pronoia:secret@db.example/pronoia",
        ),
    )(serve)


def serve(
    data: Data = None,
    database_url: DatabaseUrl = None,
    *,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option("--port", help="0 takes a free one.  [default: 8080]")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Server processes.  [default: 1]")] = None,
    archive_wal: Annotated[
        str | None,
        typer.Option(
            "--archive-wal",
            metavar="FOLDER",
            help="Archive the log of the embedded PostgreSQL, for a restore to a point in time.",
            show_default=False,
        ),
    ] = None,
    tls_certificate: Annotated[
        str | None, typer.Option("--tls-cert", help="PEM file of the certificate and its chain: serves HTTPS.")
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option("--tls-key", help="PEM file of its key. Both may be renewed while the server runs.")
    ] = None,
    first_key: Annotated[
        bool, typer.Option("--first-key", help="If there is no key yet, make one and load a sample memory.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the server until Ctrl-C or SIGTERM; both stop it and its database within ten seconds."""
    settings = settings_of(
        data,
        database_url,
        host=host,
        port=port,
        workers=workers,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        wal_archive=archive_wal,
    )
    make_context = _tls(settings)
    with ExitStack() as stack:
        stop = stack.enter_context(_stoppable())
        folder = Path(settings.data)
        if first_key or not settings.database_url:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not settings.database_url:
            stack.enter_context(_only_server(folder))
        settings = msgspec.structs.replace(settings, port=_free_port(settings.host, settings.port))
        url = stack.enter_context(_database(settings))
        settings = msgspec.structs.replace(settings, database_url=url, audit_folder=str(audit_folder(settings) or ""))
        key = asyncio.run(ensure_first_key(settings, folder)) if first_key else None
        if settings.workers > 1:
            settings = msgspec.structs.replace(settings, metrics_folder=str(stack.enter_context(_metrics_folder())))
        _announce(settings, key, as_json=as_json)
        _run(settings, stop, make_context)


def _tls(settings: Settings) -> Callable[..., SSLContext] | None:
    """Give what makes the context of each process. Raises ConfigurationError for files that cannot be used."""
    if not settings.tls_certificate and not settings.tls_key:
        return None
    if not settings.tls_certificate or not settings.tls_key:
        raise ConfigurationError("TLS needs both --tls-cert and --tls-key.")
    make_context = partial(certificate_context, settings.tls_certificate, settings.tls_key)
    make_context()
    return make_context


@contextmanager
def _metrics_folder() -> Generator[Path]:
    """Give the workers an empty folder in which they count together. They must find its name when they start."""
    with TemporaryDirectory(prefix="pronoia-metrics-") as name:
        os.environ[VARIABLE] = name
        try:
            yield Path(name)
        finally:
            del os.environ[VARIABLE]


def _run(settings: Settings, stop: _Stop, make_context: Callable[..., SSLContext] | None) -> None:
    os.environ.update(to_environment(settings))
    config = _uvicorn_config(settings, make_context)
    if settings.workers > 1:
        configure_logs(level=settings.log_level, as_json=settings.log_format == "json", meter=open_telemetry().meter)
        Multiprocess(config, sockets=[config.bind_socket()]).run()
        return
    try:
        with acting(SYSTEM):
            _Server(config, stop).run()
    except SystemExit as stopped:
        # uvicorn exits with codes of its own, of which 3 would read as a wrong setting.
        raise typer.Exit(ExitCode.FAILURE if stopped.code else ExitCode.SUCCESS) from stopped


def _uvicorn_config(settings: Settings, make_context: Callable[..., SSLContext] | None) -> uvicorn.Config:
    return uvicorn.Config(
        "pronoia.app:create",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http=BoundedProtocol,
        backlog=WAITING_CONNECTIONS,
        access_log=False,
        # By default it believes any proxy on this machine; we believe those that are listed.
        proxy_headers=False,
        log_config=None,
        log_level=settings.log_level,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_seconds),
        timeout_worker_healthcheck=WORKER_START_SECONDS,
        ssl_context_factory=make_context,
    )


class _Stop:
    """Ends this process at SIGINT and SIGTERM, through every cleanup, and remembers that it was asked to."""

    def __init__(self) -> None:
        self.asked = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        self.asked = True
        raise KeyboardInterrupt


class _Server(uvicorn.Server):
    """Obeys a stop that was asked for before uvicorn listened to signals: Python drops what a finalizer raises."""

    def __init__(self, config: uvicorn.Config, stop: _Stop) -> None:
        super().__init__(config)
        self._stop = stop

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        with super().capture_signals():
            if self._stop.asked:
                self.handle_exit(signal.SIGINT, None)
            yield


def _announce(settings: Settings, key: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"host": settings.host, "port": settings.port, "key": key})
    elif key is not None:
        typer.echo(welcome(key, settings.host, settings.port, "https" if settings.tls_key else "http"))
    else:
        print_note(f"Starting on {settings.host}:{settings.port}. For a key: pronoia keys create --user NAME")


@contextmanager
def _stoppable() -> Generator[_Stop]:
    """Let SIGTERM end this process as Ctrl-C does.

    uvicorn raises the signal that stopped it once more when it is done; without a handler that would kill us before
    the database is stopped.
    """
    stop = _Stop()
    before = {number: signal.signal(number, stop.interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except KeyboardInterrupt:
        raise typer.Exit from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _only_server(folder: Path) -> Generator[None]:
    lock = FolderLock(folder / "server.lock")
    try:
        if not lock.try_alone():
            raise ConfigurationError(
                f"A server already runs on {folder.resolve()}. Stop it first, or give this one another --data folder."
            )
        yield
    finally:
        lock.release()


@contextmanager
def _database(settings: Settings) -> Generator[str]:
    """Hold the database across the event loops that come and go: ours to prepare it, uvicorn's to serve."""
    if settings.database_url:
        asyncio.run(_prepare(settings, settings.database_direct_url or settings.database_url))
        yield settings.database_url
        return
    server = embedded_server(settings)
    try:
        url = asyncio.run(server.start())
        asyncio.run(_prepare(settings, url))
        yield url
    finally:
        # An impatient second Ctrl-C must not leave the database running.
        ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
        asyncio.run(server.stop())
        signal.signal(signal.SIGINT, ignored)


async def _prepare(settings: Settings, url: str) -> None:
    """Bring the database to this version, and see that its texts can be read."""
    await migrate(url)
    database = await Database.open(url, connections=1, timeout_seconds=settings.database_timeout_seconds)
    try:
        await open_texts(settings, database)
    finally:
        await database.close()


def _free_port(host: str, port: int) -> int:
    """Give the port, or for 0 a free one. Raises ConfigurationError if it cannot be listened on."""
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            return int(listener.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port} cannot be listened on ({error.strerror}). Choose another --host or --port."
        ) from error
