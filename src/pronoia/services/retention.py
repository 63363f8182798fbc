"""Memories go when their project has kept them long enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.errors import InvalidInputError, NotFoundError
from pronoia.ports.retention_store import RetentionPolicy
from pronoia.services.drafts import check_name

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.ports.clock import Clock
    from pronoia.ports.retention_store import RetentionStore
    from pronoia.ports.telemetry import Meter
    from pronoia.services.memories import Memories

LONGEST_DAYS = 36_500
BATCH = 200
"""Memories that are looked up at once. Each is deleted in a transaction of its own."""
PAUSE_SECONDS = 3_600.0


class Retention:
    def __init__(self, *, store: RetentionStore, memories: Memories, clock: Clock, meter: Meter) -> None:
        self._store = store
        self._memories = memories
        self._clock = clock
        self._meter = meter
        self._due_at = clock.monotonic()

    async def set(self, organisation_id: UUID, project_id: str, days: int) -> RetentionPolicy:
        """Set how many days a project keeps memories. Raises InvalidInputError naming the field."""
        check_name(project_id, "project_id")
        if not 1 <= days <= LONGEST_DAYS:
            raise InvalidInputError(f"days must lie between 1 and {LONGEST_DAYS}.", field="days", limit=LONGEST_DAYS)
        policy = RetentionPolicy(project_id, days)
        await self._store.set(organisation_id, policy)
        return policy

    async def remove(self, organisation_id: UUID, project_id: str) -> None:
        """Let a project keep memories for good again. Raises NotFoundError."""
        if not await self._store.remove(organisation_id, project_id):
            raise NotFoundError("This project has no retention policy.", project_id=project_id)

    async def listed(self, organisation_id: UUID) -> list[RetentionPolicy]:
        """Give all policies by the names of their projects."""
        return await self._store.listed(organisation_id)

    async def apply(self) -> None:
        """Delete what has expired, once in PAUSE_SECONDS, in the same way as a user would."""
        if self._clock.monotonic() < self._due_at:
            return
        while expired := await self._store.expired(self._clock.now(), BATCH):
            for scope, memory_id in expired:
                try:
                    await self._memories.delete(scope, memory_id)
                except NotFoundError:
                    continue  # another process was there first
                self._meter.count("memories_expired_total")
        self._due_at = self._clock.monotonic() + PAUSE_SECONDS
