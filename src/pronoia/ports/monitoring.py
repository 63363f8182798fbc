"""What the processes of an instance know together, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.alerts import Alert, Severity
    from pronoia.ports.work_queue import WorkKind


@dataclass(frozen=True, slots=True)
class Totals:
    """What is stored of all tenants together."""

    memories: int
    users: int
    organisations: int
    relationships: int
    """An estimate above a million."""
    pending_work: Mapping[WorkKind, int]


class TotalsStore(Protocol):
    async def totals(self) -> Totals:
        """Count. Takes longer the more users there are: ask seldom."""
        ...


@dataclass(slots=True)
class Level:
    """What happened in a minute, or in several added up. Requests are those of users, not of probes.

    The durations, in the buckets of `services.monitoring.histogram`, are those of requests that were served.
    """

    requests: int = 0
    failed: int = 0
    """Answered with 5xx, what was shed included."""
    shed: int = 0
    """Turned away under load."""
    seconds: float = 0.0
    """Durations of the requests served, added up."""
    cache_asked: int = 0
    cache_found: int = 0
    patterns: int = 0
    """Patterns of use that were detected."""
    latencies: list[int] = field(default_factory=list[int])
    foresight: list[int] = field(default_factory=list[int])
    """Of predictions and suggestions alone."""


@dataclass(frozen=True, slots=True)
class KeptLevel:
    """What is kept of a time, and how much of the time that is."""

    level: Level
    minutes: int
    """Minutes in which a process ran."""
    dead_minutes: int
    """Those of them in which requests came and all failed."""
    first: datetime | None
    """The first minute that is kept."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """What a process measures now."""

    family: str
    labels: Mapping[str, str]
    value: float


class MonitoringStore(Protocol):
    """What all processes of an instance know together. Raises StoreUnavailableError."""

    async def add_levels(self, levels: Mapping[datetime, Level]) -> None:
        """Add to the levels of minutes. If the outcome is unknown and it is done again, a minute counts twice."""
        ...

    async def levels(self, since: Sequence[datetime]) -> list[KeptLevel]:
        """Add up the minutes that began after each of some times."""
        ...

    async def report(self, process: UUID, gauges: Sequence[Gauge]) -> None:
        """Replace what a process reported before."""
        ...

    async def reports(self, seconds: float) -> list[list[Gauge]]:
        """Give the reports of the processes that reported within some seconds."""
        ...

    async def lead(self, process: UUID, seconds: float) -> bool:
        """Say whether a process is the one that may act for all, for some seconds from now."""
        ...

    async def save_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts, each as it is now."""
        ...

    async def alerts(self, limit: int, severity: Severity | None) -> list[Alert]:
        """Give the newest alerts, the newest first."""
        ...

    async def metric_rows(self, since: datetime) -> int:
        """Count the rows of metrics that learning wrote for the days since a time."""
        ...

    async def tables(self) -> dict[str, bool]:
        """Say of every table that the server needs whether it is there."""
        ...

    async def forget(self, levels_before: datetime, alerts_before: datetime, keep_alerts: int) -> None:
        """Drop what is older, all but the newest alerts, and reports of processes that ended."""
        ...


class AlertReceiver(Protocol):
    """Somebody whom alerts are sent to."""

    @property
    def name(self) -> str: ...

    @property
    def repeat_seconds(self) -> float | None:
        """How often a firing alert is told again; None if once is enough."""
        ...

    async def send(self, alert: Alert) -> None:
        """Tell that an alert fires, or that it is over. Raises AlertNotSentError."""
        ...

    async def close(self) -> None: ...
