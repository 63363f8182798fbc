"""What runs beside the requests, and whether it still does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter

FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0

Loop = Callable[[], Coroutine[None, None, None]]

log = structlog.get_logger(__name__)


class Loops:
    """Runs loops until it is stopped. One that fails is logged, told of, and begun again after a rest."""

    def __init__(self, *, clock: Clock, meter: Meter, rest: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._meter = meter
        self._rest = rest
        self._tasks: list[asyncio.Task[None]] = []
        self._failed_at: dict[str, float] = {}

    def start(self, loops: Sequence[Loop]) -> None:
        """Run loops, each named after its function."""
        self._tasks += [asyncio.create_task(self._keep(loop), name=loop.__qualname__) for loop in loops]

    async def stop(self) -> None:
        """Cancel all, and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def names(self) -> list[str]:
        """Name all loops."""
        return [task.get_name() for task in self._tasks]

    def failing(self) -> list[str]:
        """Name the loops that failed lately."""
        now = self._clock.monotonic()
        return [name for name, at in self._failed_at.items() if now - at <= LONGEST_REST_SECONDS]

    async def _keep(self, loop: Loop) -> None:
        name = loop.__qualname__
        rest = FIRST_REST_SECONDS
        while True:
            started = self._clock.monotonic()
            try:
                await loop()
            except Exception:
                # One bad piece of work must not end what all others wait for.
                log.exception("loop.failed", loop=name)
            now = self._failed_at[name] = self._clock.monotonic()
            self._meter.count("background_loop_failures_total", loop=name)
            rest = FIRST_REST_SECONDS if now - started > LONGEST_REST_SECONDS else rest
            await self._rest(rest)
            rest = min(2 * rest, LONGEST_REST_SECONDS)
