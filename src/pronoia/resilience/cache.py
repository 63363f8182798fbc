"""What any cache is made of: a bounded store that forgets, one computation for all who wait, and early refresh."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pronoia.resilience.deadline import without_deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[Value]):
    value: Value
    size: int
    expires_at: float
    group: Hashable


class ExpiringStore(Generic[Key, Value]):
    """Keeps values until they expire, at most `maximum_keys` of them and `maximum_bytes` in all.

    The least recently used goes first. What would take a `LARGEST_SHARE` of the bytes by itself is not kept.
    """

    LARGEST_SHARE = 1 / 16

    def __init__(self, *, maximum_keys: int, maximum_bytes: int, now: Callable[[], float]) -> None:
        """`now` gives seconds on the clock that `expires_at` is of."""
        self._maximum_keys = maximum_keys
        self._maximum_bytes = maximum_bytes
        self._now = now
        self._kept: OrderedDict[Key, _Kept[Value]] = OrderedDict()
        self._groups: defaultdict[Hashable, set[Key]] = defaultdict(set)
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Value | None:
        """Give what is kept and has not expired."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires_at <= self._now():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.value

    def put(self, key: Key, value: Value, *, size: int, expires_at: float, group: Hashable = None) -> None:
        """Keep a value of `size` bytes, key and overhead included; others make room for it."""
        self._drop(key)
        if size > self._maximum_bytes * self.LARGEST_SHARE:
            return
        self._kept[key] = _Kept(value, size, expires_at, group)
        self._groups[group].add(key)
        self.nbytes += size
        while len(self._kept) > self._maximum_keys or self.nbytes > self._maximum_bytes:
            self._drop(next(iter(self._kept)))

    def drop_group(self, group: Hashable) -> None:
        """Drop all that was put in with a group."""
        for key in list(self._groups.get(group, ())):
            self._drop(key)

    def drop_expired(self) -> None:
        """Drop what has expired and nobody asked for since."""
        now = self._now()
        for key in [key for key, kept in self._kept.items() if kept.expires_at <= now]:
            self._drop(key)

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self._groups.clear()
        self.nbytes = 0

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self.nbytes -= kept.size
        members = self._groups[kept.group]
        members.discard(key)
        if not members:
            del self._groups[kept.group]


class SingleFlight(Generic[Key, Value]):
    """Computes once for all who ask for the same key meanwhile. A failure is told to them all, and not remembered."""

    def __init__(self, *, timeout_seconds: float) -> None:
        """`timeout_seconds` ends a computation; whoever waits for it gets a TimeoutError."""
        self._timeout_seconds = timeout_seconds
        self._flights: dict[Key, asyncio.Task[Value]] = {}

    async def run(self, key: Key, compute: Callable[[], Awaitable[Value]]) -> Value:
        """Compute, or wait for whoever began to before."""
        # The leader runs in its own task: a caller who leaves must not fail those who wait with it.
        return await asyncio.shield(self.start(key, compute))

    def start(self, key: Key, compute: Callable[[], Awaitable[Value]]) -> asyncio.Task[Value]:
        """Compute in the background, unless somebody does already."""
        task = self._flights.get(key)
        if task is None:
            task = self._flights[key] = asyncio.create_task(self._lead(compute), context=without_deadline())
            task.add_done_callback(lambda done: self._landed(key, done))
        return task

    async def settled(self) -> None:
        """Wait until nothing that was started is still running."""
        await asyncio.gather(*self._flights.values(), return_exceptions=True)

    async def _lead(self, compute: Callable[[], Awaitable[Value]]) -> Value:
        async with asyncio.timeout(self._timeout_seconds):
            return await compute()

    def _landed(self, key: Key, task: asyncio.Task[Value]) -> None:
        self._flights.pop(key, None)
        if not task.cancelled():
            # Else asyncio complains about a failure whose callers have all left.
            task.exception()


def is_due(now: float, expires_at: float, cost_seconds: float, draw: float) -> bool:
    """Say whether to compute again before a value expires: the likelier, the nearer that is and the more it costs.

    `draw` is a random number in (0, 1]. Optimal probabilistic stampede prevention (Vattani et al. 2015, XFetch with
    beta 1).
    """
    return now - cost_seconds * math.log(draw) >= expires_at


class Rest:
    """Leaves something that failed alone for a while, then lets it be tried again."""

    def __init__(self, *, seconds: float, now: Callable[[], float]) -> None:
        """`now` gives monotonic seconds."""
        self._seconds = seconds
        self._now = now
        self._until = -math.inf

    @property
    def is_over(self) -> bool:
        return self._now() >= self._until

    def begin(self) -> None:
        self._until = self._now() + self._seconds
