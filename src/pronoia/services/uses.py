"""Accesses are written behind the request, in batches, at most a tenth of a second late."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import structlog

from pronoia.domain.errors import StoreUnavailableError
from pronoia.domain.records import Access, AccessKind
from pronoia.ports.snapshots import UserState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.memory.residents import Residents
    from pronoia.ports.clock import Clock
    from pronoia.ports.memory_store import AccessLog
    from pronoia.services.changes import Changes

FLUSH_SECONDS = 0.1
MAXIMUM_PENDING = 100_000
MAXIMUM_BATCH = 5_000
COUNTED = (AccessKind.GET, AccessKind.RECALL)
"""The kinds that usage counts; the others are only remembered."""
CHOSEN = (AccessKind.GET, AccessKind.FEEDBACK)
"""The kinds by which a user picks one memory; a recall counts all that it found."""

log = structlog.get_logger(__name__)


class UseListener(Protocol):
    """Hears which memories somebody got or judged, as it happens."""

    def record_use(self, scope: Scope, memory_id: UUID, at: datetime) -> None: ...


class Uses:
    """Counts each use in the working set at once, and in the log within FLUSH_SECONDS."""

    def __init__(
        self,
        *,
        access_log: AccessLog,
        residents: Residents,
        changes: Changes,
        clock: Clock,
        listeners: Sequence[UseListener] = (),
    ) -> None:
        self._access_log = access_log
        self._listeners = listeners
        self._changes = changes
        self._residents = residents
        self._clock = clock
        self._pending: list[Access] = []
        self._unwritten: Counter[Scope] = Counter()
        self._arrived = asyncio.Event()
        self._flushing = asyncio.Lock()
        self.dropped = 0

    def record(
        self,
        scope: Scope,
        memory_ids: Iterable[UUID],
        kind: AccessKind,
        context: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Note uses, now unless it is said when.

        Never waits; beyond MAXIMUM_PENDING, as when the database is away, the newest are dropped.
        """
        at = at or self._clock.now()
        for memory_id in memory_ids:
            if len(self._pending) >= MAXIMUM_PENDING:
                self.dropped += 1
                continue
            self._pending.append(Access(scope, memory_id, kind, at, context))
            self._unwritten[scope] += 1
            self._residents.used(scope, memory_id, at, counted=kind in COUNTED)
            if kind in CHOSEN:
                for listener in self._listeners:
                    listener.record_use(scope, memory_id, at)
        self._arrived.set()

    @property
    def pending(self) -> int:
        """Count the uses that are not in the log yet."""
        return len(self._pending)

    def are_written(self, scope: Scope) -> bool:
        """Say whether the log has all that this process knows of a user's uses."""
        return scope not in self._unwritten

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
        # Two at once would write the same uses twice.
        async with self._flushing:
            while self._pending:
                await self._flush_batch(self._pending[:MAXIMUM_BATCH])

    async def _flush_batch(self, batch: Sequence[Access]) -> None:
        activities = await self._access_log.record(batch)
        del self._pending[: len(batch)]
        written = Counter(access.scope for access in batch)
        self._unwritten -= written
        for scope, activity in activities.items():
            self._residents.flushed(scope, activity, written[scope])
            self._changes.note(scope, UserState(0, activity, 0))
