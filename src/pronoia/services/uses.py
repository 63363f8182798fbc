"""Accesses are written behind the request, in batches, at most a tenth of a second late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import StoreUnavailableError
from pronoia.domain.records import Access, AccessKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.memory.residents import Residents
    from pronoia.ports import AccessLog, Clock
    from pronoia.services.outcomes import Outcomes

FLUSH_SECONDS = 0.1
MAXIMUM_PENDING = 100_000
MAXIMUM_BATCH = 5_000

log = structlog.get_logger(__name__)


class Uses:
    """Counts each use in the working set at once, and in the log within FLUSH_SECONDS."""

    def __init__(self, *, access_log: AccessLog, residents: Residents, outcomes: Outcomes, clock: Clock) -> None:
        self._access_log = access_log
        self._residents = residents
        self._outcomes = outcomes
        self._clock = clock
        self._pending: list[Access] = []
        self._arrived = asyncio.Event()
        self.dropped = 0

    def record(self, scope: Scope, memory_ids: Iterable[UUID], kind: AccessKind, context: str | None = None) -> None:
        """Note uses. Never waits; beyond MAXIMUM_PENDING, as when the database is away, the newest are dropped."""
        at = self._clock.now()
        for memory_id in memory_ids:
            if len(self._pending) >= MAXIMUM_PENDING:
                self.dropped += 1
                continue
            self._pending.append(Access(scope, memory_id, kind, at, context))
            if kind in (AccessKind.GET, AccessKind.RECALL):
                self._residents.used(scope, memory_id, at)
            if kind in (AccessKind.GET, AccessKind.FEEDBACK):  # a recall is our own choice and proves nothing
                self._outcomes.record_use(scope, memory_id, at)
        self._arrived.set()

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            self._arrived.clear()
            try:
                await self.flush()
            except StoreUnavailableError as error:
                log.warning("accesses.waiting", pending=len(self._pending), reason=error.message)
                self._arrived.set()

    async def flush(self) -> None:
        """Write what is pending. On failure everything stays pending."""
        while self._pending:
            batch = self._pending[:MAXIMUM_BATCH]
            activities = await self._access_log.record(batch)
            del self._pending[: len(batch)]
            for scope, activity in activities.items():
                self._residents.flushed(scope, activity)
