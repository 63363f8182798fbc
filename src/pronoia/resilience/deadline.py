"""The moment by which a request must be answered, known to every wait that is done for it."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@contextmanager
def deadline(seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Generator[None]:
    """Bound what is done inside. An earlier deadline from outside stands."""
    ends_at, outer = monotonic() + seconds, _ends_at.get()
    token = _ends_at.set(ends_at if outer is None else min(outer, ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


def time_left(limit: float, monotonic: Callable[[], float] = time.monotonic) -> float:
    """Shorten a time limit, in seconds, to what is left until the deadline; never below zero."""
    ends_at = _ends_at.get()
    return limit if ends_at is None else max(min(limit, ends_at - monotonic()), 0.0)


def is_out_of_time(error: BaseException) -> bool:
    """Tell the end of a time limit, a wait's own or the request's, from a caller who left."""
    match error:
        case TimeoutError():
            return True
        case asyncio.CancelledError():
            return time_left(math.inf) == 0
        case _:
            return False


def without_deadline() -> Context:
    """Give the context for a task whose result others wait for too: the deadline of who began it is not theirs."""
    context = copy_context()
    context.run(_ends_at.set, None)
    return context
