"""How the server fares, for those who operate it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.domain.errors import NotFoundError, UnavailableError
from pronoia.services.monitoring.agreement import Agreements
from pronoia.services.monitoring.alert_book import AlertBook
from pronoia.services.monitoring.components import Components, overall
from pronoia.services.monitoring.messenger import Messenger
from pronoia.services.monitoring.objectives import read_objectives
from pronoia.services.monitoring.service_levels import ServiceLevels
from pronoia.services.monitoring.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pronoia.domain.alerts import Alert, Severity
    from pronoia.ports.clock import Clock
    from pronoia.ports.monitoring import AlertReceiver, MonitoringStore
    from pronoia.services.monitoring.agreement import Agreement
    from pronoia.services.monitoring.components import Component, Part, Status
    from pronoia.services.monitoring.readings import Readings

OTHER_NAMES = {
    "learning": "learning_system",
    "graph": "memory_graph",
    "relationships": "memory_graph",
    "embeddings": "embedding",
}
"""What published clients and documents call some components."""
FIVE_MINUTES, HOUR = "5m", "1h"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The agreements are None while the database cannot be asked."""

    status: Status
    components: Mapping[str, Component]
    now: Agreement | None
    """The last five minutes."""
    hour: Agreement | None


class Monitoring:
    """Everything that watches: `levels` hears of the requests, `watch` runs beside them."""

    def __init__(
        self,
        *,
        store: MonitoringStore,
        parts: Mapping[str, Part],
        receivers: Sequence[AlertReceiver],
        readings: Readings,
        clock: Clock,
        pause_seconds: float,
    ) -> None:
        objectives = read_objectives()
        book = AlertBook(clock)
        self._store = store
        self._clock = clock
        self._started = clock.monotonic()
        self._components = Components(parts=parts, clock=clock, meter=readings)
        self._messenger = Messenger(receivers=receivers, book=book, clock=clock, meter=readings)
        self.levels = ServiceLevels(
            store=store, readings=readings, clock=clock, unwatched_routes=objectives.unwatched_routes
        )
        self._agreements = Agreements(levels=self.levels, objectives=objectives, clock=clock)
        self.watch = Watch(
            store=store,
            levels=self.levels,
            readings=readings,
            components=self._components,
            book=book,
            messenger=self._messenger,
            objectives=objectives,
            clock=clock,
            pause_seconds=pause_seconds,
        )

    @property
    def uptime_seconds(self) -> float:
        """How long this process has run."""
        return self._clock.monotonic() - self._started

    async def health(self) -> HealthReport:
        """Try every part."""
        components = await self._components.check()
        try:
            now, hour = await self.agreement(FIVE_MINUTES), await self.agreement(HOUR)
        except UnavailableError:
            now = hour = None
        return HealthReport(overall(components), components, now, hour)

    async def component(self, name: str) -> Component:
        """Try one part. Raises NotFoundError, which says which there are."""
        known = OTHER_NAMES.get(name, name)
        if known not in self._components.names:
            raise NotFoundError(
                f"There is no component {name[:50]!r}.", available_components=sorted(self._components.names)
            )
        return await self._components.check_one(known)

    async def agreement(self, period: str) -> Agreement:
        """Report what was promised and what happened. Raises StoreUnavailableError."""
        return await self._agreements.of(period)

    async def alerts(self, limit: int, severity: Severity | None) -> list[Alert]:
        """Give the newest alerts, the newest first."""
        return await self.watch.newest_alerts(limit, severity)

    async def tables(self) -> dict[str, bool]:
        """Say of every table that the server needs whether it is there."""
        return await self._store.tables()

    async def close(self) -> None:
        """Keep what was counted, and close what leads to the receivers."""
        with suppress(UnavailableError):  # what the last seconds counted is lost then
            await self.levels.flush()
        await self._messenger.close()
