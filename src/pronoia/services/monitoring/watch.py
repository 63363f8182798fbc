"""Watches how well the server serves, and raises the alarm when it does not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from pronoia.domain.errors import StoreUnavailableError, UnavailableError
from pronoia.services.monitoring.alert_book import KEPT_ALERTS, KEPT_SECONDS
from pronoia.services.monitoring.indicators import Observation, windows
from pronoia.services.monitoring.objectives import seconds_of
from pronoia.services.monitoring.readings import ADJUSTMENTS, METRIC_ROWS, PATTERNS
from pronoia.services.monitoring.rules import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.domain.alerts import Alert, Severity
    from pronoia.ports.clock import Clock
    from pronoia.ports.monitoring import Gauge, KeptLevel, MonitoringStore
    from pronoia.services.monitoring.alert_book import AlertBook
    from pronoia.services.monitoring.components import Components
    from pronoia.services.monitoring.messenger import Messenger
    from pronoia.services.monitoring.objectives import Objectives
    from pronoia.services.monitoring.readings import Readings
    from pronoia.services.monitoring.service_levels import ServiceLevels

STORE_SECONDS = 10.0
"""Longest wait for the database in one round; while it does not answer, the alarm must still be raised."""
KEPT_LEVELS = timedelta(days=31)
UPKEEP_SECONDS = 600.0
ROUNDS_MISSED = 4
"""Rounds after which a process that reports no more is taken for dead, and another may lead."""

log = structlog.get_logger(__name__)


class Watch:
    """Looks every `pause_seconds`. One process judges and tells for all: the one that holds the lease.

    While the database cannot be asked, whoever led before goes on leading, so that an outage is told once. What needs
    the database is then unknown, and alerts about it stay as they are.
    """

    def __init__(
        self,
        *,
        store: MonitoringStore,
        levels: ServiceLevels,
        readings: Readings,
        components: Components,
        book: AlertBook,
        messenger: Messenger,
        objectives: Objectives,
        clock: Clock,
        pause_seconds: float,
    ) -> None:
        self._store = store
        self._levels = levels
        self._readings = readings
        self._components = components
        self._book = book
        self._messenger = messenger
        self._objectives = objectives
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._process = uuid4()
        self._windows = windows(objectives)
        self._noted = {PATTERNS: 0, ADJUSTMENTS: 0}
        self._upkeep_due = 0.0
        self.leads = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._pause_seconds)

    async def look(self) -> None:
        """Do one round."""
        await self._components.check()
        self._note_events()
        try:
            async with asyncio.timeout(STORE_SECONDS):
                reports, levels = await self._confer()
        except (UnavailableError, TimeoutError) as error:
            log.warning("watch.alone", reason=str(error) or type(error).__name__)
            reports, levels = [self._readings.gauges()], None
        if self.leads:
            seen = Observation(self._clock.now(), levels, reports, self._objectives)
            for verdict in judge(seen):
                self._book.take(verdict)
            await self._save()  # whoever is told may ask for it at once
            await self._messenger.tell()
        await self._save()

    async def newest_alerts(self, limit: int, severity: Severity | None) -> list[Alert]:
        """Give the newest alerts of all processes, or this one's while the database cannot be asked."""
        try:
            return await self._store.alerts(limit, severity)
        except StoreUnavailableError:
            held = [one for one in self._book.newest if severity is None or one.severity is severity]
            return held[:limit]

    async def _confer(self) -> tuple[Sequence[Sequence[Gauge]], dict[str, KeptLevel] | None]:
        """Tell the other processes what this one knows, and if it leads, hear what they know."""
        await self._levels.flush()
        await self._store.report(self._process, self._readings.gauges())
        leads = await self._store.lead(self._process, ROUNDS_MISSED * self._pause_seconds)
        if leads and not self.leads:
            self._book.take_over(await self._store.alerts(KEPT_ALERTS, None))
        elif self.leads and not leads:
            self._book.hand_over()
        self.leads = leads
        if not leads:
            return [], None
        await self._keep_up()
        kept = await self._levels.since([seconds_of(window) for window in self._windows])
        reports = await self._store.reports(ROUNDS_MISSED * self._pause_seconds)
        return reports, dict(zip(self._windows, kept, strict=True))

    async def _keep_up(self) -> None:
        if self._clock.monotonic() < self._upkeep_due:
            return
        now = self._clock.now()
        self._readings.set(METRIC_ROWS, await self._store.metric_rows(now - timedelta(days=1)))
        await self._store.forget(now - KEPT_LEVELS, now - timedelta(seconds=KEPT_SECONDS), KEPT_ALERTS)
        self._upkeep_due = self._clock.monotonic() + UPKEEP_SECONDS

    async def _save(self) -> None:
        alerts = self._book.unsaved
        if not alerts:
            return
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._store.save_alerts(alerts)
        except (UnavailableError, TimeoutError):
            return
        self._book.saved(alerts)
        if not self.leads:
            self._book.hand_over()

    def _note_events(self) -> None:
        """Note what learning did since the last round, in one event a kind: there may be thousands."""
        for family, name, text in (
            (PATTERNS, "PatternDetected", "Patterns of use were detected: {}."),
            (ADJUSTMENTS, "WeightAdjusted", "Ranking weights were adjusted: {} times."),
        ):
            total = self._readings.total(family)
            if total > self._noted[family]:
                self._book.add_event(name, text.format(total - self._noted[family]))
            self._noted[family] = total
