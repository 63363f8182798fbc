"""A real Redis for the tests, of Debian's package redis-server."""

from __future__ import annotations

import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class RedisServer:
    """A real server on a socket of its own, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder}/redis.sock"
        self._command = [
            *("redis-server", "--port", "0", "--unixsocket", f"{folder}/redis.sock"),
            *("--dir", str(folder), "--save", "", "--appendonly", "no"),
        ]

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - Debian's
        while "eady to accept connections" not in self._process.stdout.readline():
            assert self._process.poll() is None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have it take what is sent and say nothing."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._process.stdout.close()


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("needs the Debian package redis-server")
    with TemporaryDirectory(prefix="pronoia-", ignore_cleanup_errors=True) as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
