"""A bulkhead: what leans on one resource may use up that resource, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.resilience.deadline import time_left

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


class BulkheadFullError(Exception):
    """No place was free, and none in the queue, or none became free in time."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Too many wait for {name}.")
        self.name = name


@dataclass(slots=True)
class _Waiter:
    turn: asyncio.Future[None]
    since: float


class Bulkhead:
    """Places that are used side by side, and a queue of bounded length and patience before them.

    `reserved` of the places are kept for callers that say so; they also wait in a queue of their own, served first.
    Belongs to one event loop.
    """

    def __init__(
        self,
        name: str,
        *,
        concurrent: int,
        queue: int,
        longest_wait_seconds: float,
        reserved: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
        rejected: Callable[[str], None] | None = None,
    ) -> None:
        if not 0 <= reserved < concurrent:
            raise ValueError("A bulkhead keeps at least one place for everybody.")
        self.name = name
        self.in_use = 0
        self._concurrent = concurrent
        self._queue_length = queue
        self._longest_wait_seconds = longest_wait_seconds
        self._unreserved = concurrent - reserved
        self._monotonic = monotonic
        self._rejected = rejected
        self._first: deque[_Waiter] = deque()
        self._waiting: deque[_Waiter] = deque()

    @property
    def queued(self) -> int:
        return len(self._first) + len(self._waiting)

    def waited_seconds(self) -> float:
        """Give how long the one at the head of the queue has been waiting; 0 if nobody is."""
        return self._monotonic() - self._waiting[0].since if self._waiting else 0.0

    @asynccontextmanager
    async def place(self, *, reserved: bool = False) -> AsyncGenerator[None]:
        """Use a place inside, one of the reserved if need be. Raises BulkheadFullError."""
        queue, places = (self._first, self._concurrent) if reserved else (self._waiting, self._unreserved)
        if self.in_use < places:  # then nobody waits: whoever leaves hands the place on
            self.in_use += 1
        else:
            await self._wait(queue)
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, queue: deque[_Waiter]) -> None:
        if len(queue) >= self._queue_length:
            raise self._full()
        waiter = _Waiter(asyncio.get_running_loop().create_future(), self._monotonic())
        queue.append(waiter)
        try:
            async with asyncio.timeout(time_left(self._longest_wait_seconds)):
                await waiter.turn
        except BaseException as error:
            if waiter.turn.cancelled():
                queue.remove(waiter)
            else:  # the turn came in the same moment in which the wait ended
                self._leave()
            if isinstance(error, TimeoutError):
                raise self._full() from error
            raise

    def _leave(self) -> None:
        self.in_use -= 1
        for queue, places in ((self._first, self._concurrent), (self._waiting, self._unreserved)):
            while self.in_use < places and (waiter := self._next(queue)) is not None:
                self.in_use += 1
                waiter.turn.set_result(None)

    def _next(self, queue: deque[_Waiter]) -> _Waiter | None:
        """Take the first who still waits; who was cancelled leaves the queue by itself."""
        waiter = next((one for one in queue if not one.turn.done()), None)
        if waiter is not None:
            queue.remove(waiter)
        return waiter

    def _full(self) -> BulkheadFullError:
        if self._rejected is not None:
            self._rejected(self.name)
        return BulkheadFullError(self.name)
