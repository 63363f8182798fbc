"""What runs beside the requests, and whether it still does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

log = structlog.get_logger(__name__)


class Loops:
    """Runs loops until it is stopped. None ends by itself, so one that did has failed: that is logged and told."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, loops: Sequence[Coroutine[None, None, None]]) -> None:
        """Run loops, each named after its function."""
        for loop in loops:
            task = asyncio.create_task(loop, name=loop.__qualname__)
            task.add_done_callback(_tell)
            self._tasks.append(task)

    async def stop(self) -> None:
        """Cancel all, and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def names(self) -> list[str]:
        """Name all loops."""
        return [task.get_name() for task in self._tasks]

    def ended(self) -> list[str]:
        """Name the loops that failed."""
        return [task.get_name() for task in self._tasks if task.done()]


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("loop.ended", loop=task.get_name(), exc_info=task.exception())
