"""Whether each part of the server works, as it was found when it was last tried."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from pronoia.domain.errors import PronoiaError
from pronoia.services.monitoring.readings import HEALTH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter

PROBE_SECONDS = 5.0
"""Longest wait for a part; one that answers later is of no use to a request either."""
DAY_SECONDS = 86_400.0
ERRORS_HELD = 10_000
DATABASE = "database"


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    """Nothing was tried yet, or the part is not there."""


@dataclass(frozen=True, slots=True)
class Finding:
    status: Status
    message: str | None = None
    details: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Part:
    """`probe` raises a PronoiaError if the part does not work. A finding is not renewed for `fresh_seconds`."""

    probe: Callable[[], Awaitable[Finding]]
    fresh_seconds: float = 1.0
    slow_ms: float | None = None
    """An answer that takes longer is degraded, and one that takes `too_slow_ms` unhealthy."""
    too_slow_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Component:
    name: str
    status: Status
    last_check: datetime
    response_time_ms: float
    error_count_24h: int
    message: str | None
    details: Mapping[str, object]


class Components:
    """Tries the parts side by side, each within PROBE_SECONDS, and shows their health as a gauge."""

    def __init__(self, *, parts: Mapping[str, Part], clock: Clock, meter: Meter) -> None:
        self._parts = parts
        self._clock = clock
        self._meter = meter
        self._found: dict[str, tuple[float, Component]] = {}
        self._errors: dict[str, deque[float]] = {name: deque(maxlen=ERRORS_HELD) for name in parts}

    @property
    def names(self) -> list[str]:
        return list(self._parts)

    async def check(self) -> dict[str, Component]:
        """Try every part."""
        found = await asyncio.gather(*(self.check_one(name) for name in self._parts))
        return {component.name: component for component in found}

    async def check_one(self, name: str) -> Component:
        """Try one part, unless that was done just now."""
        part = self._parts[name]
        started = self._clock.monotonic()
        if name in self._found and started - self._found[name][0] < part.fresh_seconds:
            return self._found[name][1]
        finding = await self._tried(part)
        took_ms = round(1_000 * (self._clock.monotonic() - started), 2)
        component = self._component(name, _with_speed(finding, part, took_ms), took_ms)
        self._found[name] = (started, component)
        if component.status is not Status.UNKNOWN:
            self._meter.set(HEALTH, float(component.status is not Status.UNHEALTHY), component=name)
        return component

    async def _tried(self, part: Part) -> Finding:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await part.probe()
        except PronoiaError as error:
            return Finding(Status.UNHEALTHY, error.message)
        except TimeoutError:
            return Finding(Status.UNHEALTHY, f"It did not answer within {PROBE_SECONDS:g} s.")

    def _component(self, name: str, finding: Finding, took_ms: float) -> Component:
        now, errors = self._clock.monotonic(), self._errors[name]
        if finding.status is Status.UNHEALTHY:
            errors.append(now)
        while errors and now - errors[0] > DAY_SECONDS:
            errors.popleft()
        return Component(
            name, finding.status, self._clock.now(), took_ms, len(errors), finding.message, finding.details
        )


def overall(components: Mapping[str, Component]) -> Status:
    """Without its database the server is unhealthy; with any other part not wholly well, degraded."""
    if components[DATABASE].status is Status.UNHEALTHY:
        return Status.UNHEALTHY
    well = {Status.HEALTHY, Status.UNKNOWN}
    return Status.HEALTHY if all(one.status in well for one in components.values()) else Status.DEGRADED


def _with_speed(finding: Finding, part: Part, took_ms: float) -> Finding:
    if finding.status is not Status.HEALTHY or part.slow_ms is None or took_ms < part.slow_ms:
        return finding
    slow = part.too_slow_ms is None or took_ms < part.too_slow_ms
    status = Status.DEGRADED if slow else Status.UNHEALTHY
    return Finding(status, f"It took {took_ms:g} ms to answer.", finding.details)
