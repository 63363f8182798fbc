"""Locks between processes that share a data folder. The kernel releases them when a process dies, however it dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pronoia.domain.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

WAIT_SECONDS = 60.0
RETRY_SECONDS = 0.02


class FolderLock:
    """A lock file that one process holds alone, or many hold shared."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def try_alone(self) -> bool:
        """Take it for this holder alone, if nobody else has it."""
        return self._try(fcntl.LOCK_EX)

    def share(self) -> None:
        """Hold it together with others. Whoever holds it alone does so for moments only, and under another lock."""
        if not self._try(fcntl.LOCK_SH):
            raise StoreUnavailableError(f"{self._path} is locked by another process.")

    def release(self) -> None:
        """Let go of it, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self, kind: int) -> bool:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@asynccontextmanager
async def alone(path: Path) -> AsyncGenerator[None]:
    """Hold the lock file alone, waiting at most WAIT_SECONDS for it. Raises StoreUnavailableError after that."""
    lock = FolderLock(path)
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while not lock.try_alone():
            if time.monotonic() > deadline:
                raise StoreUnavailableError(f"Another process has been starting or stopping the database on {path}.")
            await asyncio.sleep(RETRY_SECONDS)
        yield
    finally:
        lock.release()
