"""How each part of the server is tried."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from pronoia.services.monitoring import readings as known
from pronoia.services.monitoring.components import DATABASE, Finding, Part, Status

if TYPE_CHECKING:
    from pathlib import Path

    from pronoia.ports.clock import Clock
    from pronoia.ports.embedder import Embedder
    from pronoia.services.caches import Caches
    from pronoia.services.health import Probe
    from pronoia.services.monitoring.loops import Loops
    from pronoia.services.monitoring.readings import Readings

SLOW_DATABASE_MS, TOO_SLOW_DATABASE_MS = 100.0, 500.0
EMBEDDING_FRESH_SECONDS = 60.0
"""An endpoint may take money for each call."""
DISK_LOW, DISK_FULL = 0.10, 0.02
"""Shares of the disk that are left."""
CACHE_FAILED_SECONDS = 10.0
"""From when a failure was seen, whoever looked then: a tier that is asked at all is tried again every five."""
LAG_HIGH_SECONDS, LAG_TOO_HIGH_SECONDS = 0.1, 1.0
CLOSED = 0.0
STATES = {0.0: "closed", 1.0: "half_open", 2.0: "open"}
SILENT = Finding(Status.UNKNOWN, "Nothing was measured yet.")


def parts(
    *,
    database: Probe,
    embedder: Embedder,
    caches: Caches,
    readings: Readings,
    loops: Loops,
    clock: Clock,
    data: Path,
) -> dict[str, Part]:
    """Give all parts by name. `data` is the folder of the embedded database; there is none if it is elsewhere."""
    watched = _Watched(readings, clock)

    async def ask_database() -> Finding:
        await database.check()
        return Finding(
            Status.HEALTHY,
            details={
                "connections_active": readings.value(known.CONNECTIONS),
                "connections_limit": readings.value(known.CONNECTIONS_LIMIT),
            },
        )

    async def ask_embedder() -> Finding:
        await embedder.embed(["health"])
        return Finding(Status.HEALTHY, details={"space": embedder.space})

    async def look_at_caches() -> Finding:
        return watched.caches(caches.hit_rates())

    async def look_at_breakers() -> Finding:
        return watched.breakers()

    async def look_at_resources() -> Finding:
        return watched.resources(await asyncio.to_thread(_disk_left, data))

    async def look_at_learning() -> Finding:
        failing = loops.failing()
        details = {"loops": loops.names()}
        if failing:
            return Finding(Status.UNHEALTHY, f"Failed lately, and tried again: {', '.join(failing)}.", details)
        return Finding(Status.HEALTHY, details=details)

    async def look_at_graph() -> Finding:
        return watched.graph()

    return {
        DATABASE: Part(ask_database, slow_ms=SLOW_DATABASE_MS, too_slow_ms=TOO_SLOW_DATABASE_MS),
        "embedding": Part(ask_embedder, fresh_seconds=EMBEDDING_FRESH_SECONDS),
        "cache": Part(look_at_caches),
        "breakers": Part(look_at_breakers),
        "resources": Part(look_at_resources),
        "learning_system": Part(look_at_learning),
        "memory_graph": Part(look_at_graph),
    }


class _Watched:
    """Reads health off what is measured anyway."""

    def __init__(self, readings: Readings, clock: Clock) -> None:
        self._readings = readings
        self._clock = clock
        self._cache_failures = 0
        self._cache_failed_at = -CACHE_FAILED_SECONDS

    def caches(self, hit_rates: dict[str, float | None]) -> Finding:
        failures, now = self._readings.total(known.CACHE_FAILURES), self._clock.monotonic()
        if failures > self._cache_failures:
            self._cache_failures, self._cache_failed_at = failures, now
        details = {"hit_rates": hit_rates, "failures": failures}
        if now - self._cache_failed_at < CACHE_FAILED_SECONDS:
            return Finding(Status.DEGRADED, "A tier failed and is left alone for a moment.", details)
        return Finding(Status.HEALTHY, details=details)

    def breakers(self) -> Finding:
        states = self._readings.by(known.BREAKER, "breaker_name")
        if not states:
            return SILENT
        details = {name: STATES[state] for name, state in sorted(states.items())}
        not_closed = [f"{name} is {state}" for name, state in details.items() if state != STATES[CLOSED]]
        if not_closed:
            return Finding(Status.DEGRADED, f"{', '.join(not_closed)}.", details)
        return Finding(Status.HEALTHY, details=details)

    def resources(self, disk_left: float | None) -> Finding:
        lag = self._readings.value(known.LOOP_LAG)
        details: dict[str, object] = {
            "memory_bytes": self._readings.value(known.MEMORY),
            "loop_lag_ms": None if lag is None else round(1_000 * lag, 2),
            "disk_free_share": None if disk_left is None else round(disk_left, 4),
            "degradation_level": self._readings.value(known.LEVEL),
        }
        if disk_left is not None and disk_left < DISK_FULL:
            return Finding(Status.UNHEALTHY, "The disk of the data folder is full.", details)
        if lag is not None and lag > LAG_TOO_HIGH_SECONDS:
            return Finding(Status.UNHEALTHY, "The event loop is blocked.", details)
        if disk_left is not None and disk_left < DISK_LOW:
            return Finding(Status.DEGRADED, "The disk of the data folder is nearly full.", details)
        if lag is not None and lag > LAG_HIGH_SECONDS:
            return Finding(Status.DEGRADED, "The event loop lags.", details)
        return Finding(Status.HEALTHY, details=details)

    def graph(self) -> Finding:
        orphans = self._readings.value(known.ORPHANS)
        if orphans is None:
            return SILENT
        details = {"relationships": self._readings.value(known.RELATIONSHIPS), "orphaned": orphans}
        if orphans:
            return Finding(Status.DEGRADED, "Relationships lead to memories that are not there.", details)
        return Finding(Status.HEALTHY, details=details)


def _disk_left(folder: Path) -> float | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.free / usage.total
