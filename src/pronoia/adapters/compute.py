"""Heavy computing beside the event loop: a few threads, a bounded queue before them, and a refusal after that."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, TypeVar

from pronoia.domain.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

Result = TypeVar("Result")


class ComputeExecutor(Executor):
    """Runs what holds the processor for long. Who waits leaves the queue at the deadline of the request."""

    def __init__(self, *, concurrent: int, queue: int, rejected: Callable[[], None] | None = None) -> None:
        self._threads = ThreadPoolExecutor(concurrent, thread_name_prefix="compute")
        self._places = BoundedSemaphore(concurrent + queue)
        self._rejected = rejected

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:  # noqa: ANN401 - whatever the work takes
        """Queue work. Raises OverloadedError if the queue is full."""
        if not self._places.acquire(blocking=False):
            if self._rejected is not None:
                self._rejected()
            raise OverloadedError("Too much is being computed. Try again.", retry_after=1)
        future = self._threads.submit(fn, *args, **kwargs)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
