"""The clock, the waits and the dice of a client, to be replaced together where time must not pass by itself."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Timing:
    """What the blocking client waits by."""

    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    """Uniform in [0, 1)."""
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _now
    """Aware; a Retry-After date is read against it."""


@dataclass(frozen=True, slots=True)
class AsyncTiming:
    """What the asynchronous client waits by."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    """Uniform in [0, 1)."""
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _now
    """Aware; a Retry-After date is read against it."""
