"""What the store needs done by the clock, for all users together."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import UnavailableError

if TYPE_CHECKING:
    from datetime import timedelta

    from pronoia.ports.clock import Clock
    from pronoia.ports.housekeeping import HousekeepingStore, Retention
    from pronoia.services.erasures import Erasures
    from pronoia.services.expiry import Expiry

PAUSE_SECONDS = 60.0
UPKEEP_SECONDS = 3_600.0
"""What looks at all users is done once in that time, by one process."""
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)


class Housekeeping:
    """Forgets what is older than it may be, and brings users who outgrew the working sets into the shared indexes.

    It also notes receipts of erasures in their ledger. Many processes may run it: each piece locks what it works on.
    """

    def __init__(
        self,
        *,
        store: HousekeepingStore,
        retention: Retention,
        expiry: Expiry,
        erasures: Erasures,
        clock: Clock,
        dimensions: int,
    ) -> None:
        """`dimensions` are those of the embedder's vectors."""
        self._store = store
        self._retention = retention
        self._expiry = expiry
        self._erasures = erasures
        self._clock = clock
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
        while await self._store.purge_idempotency_keys(self._retention.outcomes):
            pass
        await self._index()
        await self._erasures.note()
        if await self._store.claim("retention", UPKEEP_SECONDS):
            await self._expiry.apply()
            await self._forget_old()
        if await self._store.claim("reports", UPKEEP_SECONDS):
            await self._store.refresh_reports()

    async def _forget_old(self) -> None:
        uses, removals = self._before(self._retention.uses), self._before(self._retention.removals)
        user, purged = await self._store.purge_history(None, uses, removals)
        while user is not None:
            user, more = await self._store.purge_history(user, uses, removals)
            purged += more
        metrics_before = self._before(self._retention.metrics).date()
        while metrics := await self._store.purge_metrics(metrics_before):
            purged += metrics
        revoked_before = self._before(self._retention.token_revocations)
        while revocations := await self._store.purge_token_revocations(revoked_before):
            purged += revocations
        if purged:
            log.info("housekeeping.forgotten", count=purged)

    def _before(self, age: timedelta | None) -> datetime:
        return LONG_AGO if age is None else self._clock.now() - age

    async def _index(self) -> None:
        users = await self._store.users_to_index()
        if users:
            await self._store.ensure_vector_index(self._dimensions)
        for scope in users:
            while not await self._store.mark_approximate(scope):
                pass
