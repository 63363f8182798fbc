from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from pronoia.memory.columns import Column, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pronoia.ports.snapshots import AccessColumns

MICROSECONDS = 1_000_000


class History:
    """A user's uses, oldest first. Memories are numbered in the order in which they first appear.

    What this process records is here at once and in the log a moment later. Until then it is remembered as pending, so
    that reading the log does not count it twice.
    """

    def __init__(self) -> None:
        self.generation = 0
        """Moves when what was here before has changed; otherwise uses are only ever appended."""
        self._keys: list[bytes] = []
        self._numbers: dict[bytes, int] = {}
        self._items: Column[np.int32] = Column(np.int32)
        self._times: Column[np.float64] = Column(np.float64)
        self._own: Column[np.bool_] = Column(np.bool_)
        self._pending: OrderedDict[tuple[bytes, int], bool] = OrderedDict()
        """Whether each counts as usage."""

    def __len__(self) -> int:
        return len(self._times.values)

    @property
    def items(self) -> NDArray[np.int32]:
        """The number of the memory of each use."""
        return self._items.values

    @property
    def times(self) -> NDArray[np.float64]:
        """When each use was, in seconds since the epoch."""
        return self._times.values

    @property
    def own(self) -> NDArray[np.bool_]:
        """Whether each use was recorded by this process, so that it is for it to learn from."""
        return self._own.values

    @property
    def keys(self) -> list[bytes]:
        """The ids of the memories by their numbers, in their 16 bytes: as keys they cost a tenth of UUIDs."""
        return self._keys

    def id(self, number: int) -> UUID:
        """Give the memory of a number."""
        return UUID(bytes=self._keys[number])

    @property
    def nbytes(self) -> int:
        return self._items.nbytes + self._times.nbytes + 130 * len(self._keys) + 180 * len(self._pending)

    def record(self, memory_id: UUID, at: float, *, counted: bool = True) -> None:
        """Append a use that the log does not have yet, unless it is here already."""
        self._record(memory_id.bytes, at, counted=counted)

    def pending_usage(self) -> dict[bytes, tuple[int, float]]:
        """Give how often each memory was used that the log does not count yet, and when last; keyed by its 16 bytes."""
        usage: dict[bytes, tuple[int, float]] = {}
        for (key, at), counted in self._pending.items():
            if counted:
                count, last = usage.get(key, (0, 0.0))
                usage[key] = (count + 1, max(last, at / MICROSECONDS))
        return usage

    def record_first(self, ids: bytes, times: Sequence[float]) -> None:
        """Append a use of each memory that has none yet; ids of 16 bytes a memory."""
        first = {key: at for key, at in zip(split(ids), times, strict=True) if key not in self._numbers}
        self._pending.update((_name(key, at), False) for key, at in first.items())
        self._append(list(first.items()), own=True)

    def confirm(self, count: int) -> bool:
        """Note that the log has the `count` oldest pending uses. False, and nothing done, if there are not so many."""
        if count > len(self._pending):
            return False
        for _ in range(count):
            self._pending.popitem(last=False)
        return True

    def extend(self, columns: AccessColumns) -> None:
        """Append what was read from the log, but for what was pending here."""
        uses = list(zip(split(columns.memory_ids), np.frombuffer(columns.times, dtype=">f8").tolist(), strict=True))
        if self._pending:
            uses = [use for use in uses if self._pending.pop(_name(*use), None) is None]
        self._append(uses, own=False)

    def forget(self, memory_id: UUID) -> None:
        """Remove a memory and all its uses; those that come after it are numbered anew."""
        gone = self._numbers.pop(memory_id.bytes, None)
        if gone is None:
            return
        self.generation += 1
        del self._keys[gone]
        self._numbers = {one: number for number, one in enumerate(self._keys)}
        kept = self.items != gone
        items, times, own = self.items[kept], self.times[kept], self.own[kept]
        self._items, self._times, self._own = Column(np.int32), Column(np.float64), Column(np.bool_)
        self._items.extend(np.where(items > gone, items - 1, items))
        self._times.extend(times)
        self._own.extend(own)
        for name in [name for name in self._pending if name[0] == memory_id.bytes]:
            del self._pending[name]

    def _record(self, key: bytes, at: float, *, counted: bool) -> None:
        name = _name(key, at)
        if name in self._pending:
            return
        self._pending[name] = counted
        self._append([(key, at)], own=True)

    def _append(self, uses: Sequence[tuple[bytes, float]], *, own: bool) -> None:
        numbers = self._numbers
        for key, _ in uses:
            if key not in numbers:
                numbers[key] = len(self._keys)
                self._keys.append(key)
        self._items.extend([numbers[key] for key, _ in uses])
        self._times.extend([at for _, at in uses])
        self._own.extend([own] * len(uses))


def _name(key: bytes, at: float) -> tuple[bytes, int]:
    """Name a use: the database keeps microseconds."""
    return key, round(at * MICROSECONDS)
