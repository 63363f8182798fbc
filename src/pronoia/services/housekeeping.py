"""What the store needs done by the clock, for all users together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import UnavailableError

if TYPE_CHECKING:
    from pronoia.ports.housekeeping import HousekeepingStore
    from pronoia.services.erasures import Erasures
    from pronoia.services.retention import Retention

PAUSE_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Housekeeping:
    """Forgets old outcomes of writes, and brings users who outgrew the working sets into the shared indexes.

    It also notes receipts of erasures in their ledger, and deletes what projects have kept long enough.
    Many processes may run it: each piece locks what it works on.
    """

    def __init__(self, *, store: HousekeepingStore, retention: Retention, erasures: Erasures, dimensions: int) -> None:
        """`dimensions` are those of the embedder's vectors."""
        self._store = store
        self._retention = retention
        self._erasures = erasures
        self._dimensions = dimensions

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.run_once()
            except UnavailableError as error:
                log.warning("housekeeping.waiting", reason=error.message)
            await asyncio.sleep(PAUSE_SECONDS)

    async def run_once(self) -> None:
        """Do all that there is to do."""
        while await self._store.purge_idempotency_keys():
            pass
        users = await self._store.users_to_index()
        if users:
            await self._store.ensure_vector_index(self._dimensions)
        for scope in users:
            while not await self._store.mark_approximate(scope):
                pass
        await self._erasures.note()
        await self._retention.apply()
