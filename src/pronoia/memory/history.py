from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from pronoia.memory.columns import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pronoia.ports import AccessColumns

MICROSECONDS = 1_000_000


class History:
    """A user's uses, oldest first. Memories are numbered in the order in which they first appear.

    What this process records is here at once and in the log a moment later. Until then it is remembered as pending, so
    that reading the log does not count it twice.
    """

    def __init__(self) -> None:
        self.generation = 0
        """Moves when what was here before has changed; otherwise uses are only ever appended."""
        self._ids: list[UUID] = []
        self._numbers: dict[UUID, int] = {}
        self._items: Column[np.int32] = Column(np.int32)
        self._times: Column[np.float64] = Column(np.float64)
        self._pending: OrderedDict[tuple[UUID, int], None] = OrderedDict()

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
    def ids(self) -> list[UUID]:
        """The memories by their numbers."""
        return self._ids

    @property
    def nbytes(self) -> int:
        return self._items.nbytes + self._times.nbytes + 150 * len(self._ids) + 200 * len(self._pending)

    def number_of(self, memory_id: UUID) -> int | None:
        """Give the number of a memory that was ever used."""
        return self._numbers.get(memory_id)

    def record(self, memory_id: UUID, at: float) -> None:
        """Append a use that the log does not have yet."""
        self._pending[_key(memory_id, at)] = None
        self._append([(memory_id, at)])

    def confirm(self, count: int) -> bool:
        """Note that the log has the `count` oldest pending uses. False, and nothing done, if there are not so many."""
        if count > len(self._pending):
            return False
        for _ in range(count):
            self._pending.popitem(last=False)
        return True

    def extend(self, columns: AccessColumns) -> None:
        """Append what was read from the log, but for what was pending here."""
        ids = [UUID(bytes=columns.memory_ids[at : at + 16]) for at in range(0, len(columns.memory_ids), 16)]
        uses = list(zip(ids, np.frombuffer(columns.times, dtype=">f8").tolist(), strict=True))
        if self._pending:
            uses = [use for use in uses if self._pending.pop(_key(*use), self) is self]
        self._append(uses)

    def forget(self, memory_id: UUID) -> None:
        """Remove a memory and all its uses; those that come after it are numbered anew."""
        gone = self._numbers.pop(memory_id, None)
        if gone is None:
            return
        self.generation += 1
        del self._ids[gone]
        self._numbers = {one: number for number, one in enumerate(self._ids)}
        kept = self.items != gone
        items, times = self.items[kept], self.times[kept]
        self._items, self._times = Column(np.int32), Column(np.float64)
        self._items.extend(np.where(items > gone, items - 1, items))
        self._times.extend(times)
        for key in [key for key in self._pending if key[0] == memory_id]:
            del self._pending[key]

    def _append(self, uses: Sequence[tuple[UUID, float]]) -> None:
        for memory_id, _ in uses:
            if memory_id not in self._numbers:
                self._numbers[memory_id] = len(self._ids)
                self._ids.append(memory_id)
        self._items.extend([self._numbers[memory_id] for memory_id, _ in uses])
        self._times.extend([at for _, at in uses])


def _key(memory_id: UUID, at: float) -> tuple[UUID, int]:
    """Name a use: the database keeps microseconds."""
    return memory_id, round(at * MICROSECONDS)
