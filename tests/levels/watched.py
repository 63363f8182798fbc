"""One process of an instance, with a real database and parts that a test can break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.monitoring_store import PostgresMonitoringStore
from pronoia.domain.errors import StoreUnavailableError
from pronoia.services.monitoring.components import Finding, Part, Status
from pronoia.services.monitoring.monitoring import Monitoring
from pronoia.services.monitoring.readings import Readings
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.testing.clock import ManualClock

PAUSE_SECONDS = 15.0
SEARCH = "/api/v1/memories/search"


class CutStore:
    """The real store behind a cable that a test can pull."""

    def __init__(self, store):
        self._store = store
        self.cut = False

    def __getattr__(self, name):
        if self.cut:
            raise StoreUnavailableError("The cable was pulled.")
        return getattr(self._store, name)


@dataclass
class Instance:
    monitoring: Monitoring
    readings: Readings
    meter: RecordingMeter
    store: CutStore
    clock: ManualClock
    broken: dict[str, str]
    """Parts that do not work, and why."""

    def serve(self, number: int, status: int = 200, seconds: float = 0.01, route: str = SEARCH) -> None:
        for _ in range(number):
            self.monitoring.levels.observe(route, "POST", status, seconds)

    async def look(self, rounds: int = 1) -> None:
        for _ in range(rounds):
            self.clock.advance(PAUSE_SECONDS)
            await self.monitoring.watch.look()

    async def alerts(self, severity=None):
        return await self.monitoring.alerts(1000, severity)

    async def firing(self) -> set[str]:
        return {alert.name for alert in await self.alerts() if alert.state == "firing"}


def make_instance(database: Database, clock: ManualClock, receivers) -> Instance:
    meter = RecordingMeter()
    readings = Readings(meter)
    broken: dict[str, str] = {}

    def part(name: str) -> Part:
        async def probe() -> Finding:
            if name in broken:
                raise StoreUnavailableError(broken[name])
            return Finding(Status.HEALTHY)

        return Part(probe)

    store = CutStore(PostgresMonitoringStore(database))
    monitoring = Monitoring(
        store=store,
        parts={name: part(name) for name in ("database", "embedding")},
        receivers=receivers,
        readings=readings,
        clock=clock,
        pause_seconds=PAUSE_SECONDS,
    )
    return Instance(monitoring, readings, meter, store, clock, broken)
