"""What was promised beside what really happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.services.monitoring.histogram import quantile
from pronoia.services.monitoring.objectives import seconds_of, targets

if TYPE_CHECKING:
    from pronoia.ports.clock import Clock
    from pronoia.ports.monitoring import KeptLevel
    from pronoia.services.monitoring.objectives import Objectives, Targets
    from pronoia.services.monitoring.service_levels import ServiceLevels

PERIODS = {"1h": 3_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
MILLISECONDS = 1_000.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """One period. Shares are in [0, 1]; what no request says anything about is None, and not met nor broken."""

    kept: KeptLevel
    targets: Targets
    elapsed_minutes: int
    """Minutes of the period, from the first on that is kept."""

    @property
    def availability(self) -> float | None:
        """The share of requests that were answered: not by a failure, and not by a refusal under load."""
        level = self.kept.level
        return None if not level.requests else 1 - level.failed / level.requests

    @property
    def error_rate(self) -> float | None:
        """The share that failed of the requests that were taken on: those refused under load are left out."""
        level = self.kept.level
        taken_on = level.requests - level.shed
        return None if taken_on <= 0 else max(level.failed - level.shed, 0) / taken_on

    @property
    def average_ms(self) -> float | None:
        served = sum(self.kept.level.latencies)
        return round(MILLISECONDS * self.kept.level.seconds / served, 2) if served else None

    def latency_ms(self, share: float) -> float | None:
        """Give the time that a share of the requests served did not exceed; wrong by 28 % at most."""
        seconds = quantile(self.kept.level.latencies, share)
        return None if seconds is None else round(MILLISECONDS * seconds, 2)

    @property
    def uptime(self) -> float | None:
        """The share of minutes in which a process ran and not all requests failed."""
        if not self.elapsed_minutes:
            return None
        return (self.kept.minutes - self.kept.dead_minutes) / self.elapsed_minutes

    @property
    def downtime_minutes(self) -> int | None:
        if not self.elapsed_minutes:
            return None
        return self.elapsed_minutes - self.kept.minutes + self.kept.dead_minutes

    @property
    def requests_per_second(self) -> float | None:
        return round(self.kept.level.requests / (60 * self.elapsed_minutes), 3) if self.elapsed_minutes else None

    @property
    def cache_hit_rate(self) -> float | None:
        level = self.kept.level
        return level.cache_found / level.cache_asked if level.cache_asked else None

    @property
    def met(self) -> dict[str, bool | None]:
        """Say of each promise whether it was kept."""
        p95, p99 = self.latency_ms(0.95), self.latency_ms(0.99)
        return {
            "availability": None if self.availability is None else self.availability >= self.targets.availability,
            "error_rate": None if self.error_rate is None else self.error_rate <= self.targets.error_rate,
            "p95": None if p95 is None else p95 <= MILLISECONDS * self.targets.p95_seconds,
            "p99": None if p99 is None else p99 <= MILLISECONDS * self.targets.p99_seconds,
        }

    @property
    def all_met(self) -> bool | None:
        """Say whether every promise was kept; None if nothing was asked."""
        known = [met for met in self.met.values() if met is not None]
        return all(known) if known else None


class Agreements:
    def __init__(self, *, levels: ServiceLevels, objectives: Objectives, clock: Clock) -> None:
        self._levels = levels
        self._targets = targets(objectives)
        self._clock = clock

    async def of(self, period: str) -> Agreement:
        """Report one of PERIODS, or any other duration. Raises StoreUnavailableError."""
        return await self.over(PERIODS.get(period) or seconds_of(period))

    async def over(self, seconds: float) -> Agreement:
        """Report the last so many seconds."""
        await self._levels.flush()
        (kept,) = await self._levels.since([seconds])
        elapsed = 0
        if kept.first is not None:
            elapsed = int((self._clock.now() - kept.first).total_seconds() // 60) + 1
        return Agreement(kept, self._targets, elapsed)
