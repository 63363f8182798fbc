"""Memories go when their project has kept them long enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.errors import NotFoundError

if TYPE_CHECKING:
    from pronoia.ports.clock import Clock
    from pronoia.ports.housekeeping import HousekeepingStore
    from pronoia.ports.telemetry import Meter
    from pronoia.services.memories import Memories

BATCH = 200
"""Memories that are looked up at once. Each is deleted in a transaction of its own."""


class Expiry:
    """Deletes what has expired in the same way as a user would: versions, working sets and what was learned follow."""

    def __init__(self, *, store: HousekeepingStore, memories: Memories, clock: Clock, meter: Meter) -> None:
        self._store = store
        self._memories = memories
        self._clock = clock
        self._meter = meter

    async def apply(self) -> None:
        """Delete all that has expired."""
        while expired := await self._store.expired_memories(self._clock.now(), BATCH):
            for scope, memory_id in expired:
                try:
                    await self._memories.delete(scope, memory_id)
                except NotFoundError:
                    continue  # its user was there first
                self._meter.count("memories_expired_total")
