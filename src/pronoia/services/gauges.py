"""Numbers that a scrape shows but must not wait for: they are read by the clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import UnavailableError

if TYPE_CHECKING:
    from pronoia.memory.residents import Residents
    from pronoia.ports.clock import Clock
    from pronoia.ports.monitoring import TotalsStore
    from pronoia.ports.telemetry import Meter
    from pronoia.services.ranking_weights import RankingWeights
    from pronoia.services.uses import Uses

LOOK_SECONDS = 5.0
TOTALS_SECONDS = 300.0

log = structlog.get_logger(__name__)


class Gauges:
    """Looks at this process every LOOK_SECONDS, and at the database every TOTALS_SECONDS."""

    def __init__(
        self,
        *,
        store: TotalsStore,
        residents: Residents,
        uses: Uses,
        ranking_weights: RankingWeights,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._store = store
        self._residents = residents
        self._uses = uses
        self._ranking_weights = ranking_weights
        self._clock = clock
        self._meter = meter
        self._totals_due = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            if self._clock.monotonic() >= self._totals_due:
                self._totals_due = self._clock.monotonic() + TOTALS_SECONDS
                try:
                    await self.count()
                except UnavailableError as error:
                    log.warning("gauges.waiting", reason=error.message)
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Show what this process holds."""
        self._meter.set("working_set_users", self._residents.users)
        self._meter.set("working_set_bytes", self._residents.nbytes)
        self._meter.set("accesses_pending", self._uses.pending)
        self._meter.set("accesses_dropped", self._uses.dropped)
        self._meter.set("ranking_examples_pending", self._ranking_weights.pending)

    async def count(self) -> None:
        """Show what is stored."""
        totals = await self._store.totals()
        self._meter.set("memory_total", totals.memories)
        self._meter.set("users_total", totals.users)
        self._meter.set("organisations_total", totals.organisations)
        self._meter.set("relationships_total", totals.relationships)
        self._meter.set("orphaned_relationships", 0)  # foreign keys see to it; alert rules of others ask for it
        for kind, count in totals.pending_work.items():
            self._meter.set("work_pending", count, kind=kind)
