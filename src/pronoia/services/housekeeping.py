"""What the store needs done by the clock, for all users together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import UnavailableError

if TYPE_CHECKING:
    from pronoia.ports.housekeeping import HousekeepingStore

PAUSE_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Housekeeping:
    """Forgets old outcomes of writes and ids of what was deleted, and puts large users into the shared indexes.

    Large are those who outgrew the working sets. Many processes may run it: each piece locks what it works on.
    """

    def __init__(self, *, store: HousekeepingStore, dimensions: int) -> None:
        """`dimensions` are those of the embedder's vectors."""
        self._store = store
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
        while await self._store.purge_removals():
            pass
        users = await self._store.users_to_index()
        if users:
            await self._store.ensure_vector_index(self._dimensions)
        for scope in users:
            while not await self._store.mark_approximate(scope):
                pass
