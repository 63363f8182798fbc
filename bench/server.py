"""Processes to measure: each on the server's core, everything else on the other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORES = set(CORES[1:]) or {SERVER_CORE}
START_SECONDS = 60.0
POLL_SECONDS = 0.005
MEBIBYTE = 1 << 20
PRONOIA = (str(Path(sys.executable).with_name("pronoia")),)
BARE_APPLICATION = (sys.executable, "-m", "bench.bare_application")


@dataclass(frozen=True, slots=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int
    started_in: float
    """Seconds from the start of the process to its first answer."""

    def resident_mebibytes(self) -> float:
        """Read what the kernel counts as resident."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE


@contextmanager
def running(command: Sequence[str], *, cores: set[int] | None = None, **environment: str) -> Generator[Server]:
    """Run a server that takes --port, from its first answer on /health to its end. Cores None means all."""
    port = _free_port()
    with Path(os.devnull).open("w") as nowhere:
        begun = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own commands
            [*command, "--port", str(port)],
            stdout=nowhere,
            stderr=nowhere,
            env={**os.environ, **environment, "PRONOIA_LOG_LEVEL": "warning"},
            preexec_fn=lambda: os.sched_setaffinity(0, cores or set(CORES)),  # noqa: PLW1509 - no threads yet
        )
    try:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                raise RuntimeError(f"{' '.join(command)} did not start")
            time.sleep(POLL_SECONDS)
        yield Server(process, port, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def on_core(*cores: int) -> Generator[None]:
    """Move this process, as when the client of a bare database takes the server's place."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def create_service_key(url: str) -> str:
    command = [*PRONOIA, "keys", "create", "--service", "--quiet", "--database-url", url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - our own command


def serve_command(url: str) -> tuple[str, ...]:
    return (*PRONOIA, "serve", "--database-url", url)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200  # noqa: PLR2004
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
