"""What protects the server from what it depends on and from too much work: made here, and read here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pronoia.resilience.admission import Gate
from pronoia.resilience.breaker import Breaker
from pronoia.resilience.bulkhead import Bulkhead
from pronoia.resilience.concurrency import AdaptiveLimit
from pronoia.resilience.degradation import Degradation, Level
from pronoia.resilience.saturation import Saturation
from pronoia.services.features import OFF_FROM

if TYPE_CHECKING:
    from collections.abc import Callable

    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter
    from pronoia.resilience.admission import Importance
    from pronoia.resilience.breaker import BreakerPolicy, State
    from pronoia.resilience.concurrency import LimitPolicy
    from pronoia.services.features import Feature

POOL = "database"
LOOP_LAG_LIMIT_SECONDS = 0.5
POOL_WAIT_LIMIT_SECONDS = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BreakerReport:
    name: str
    state: State
    failures: int
    """In a row, as far as they count."""


class Resilience:
    """Makes breakers and bulkheads that report to the meter, and knows how full the server is."""

    def __init__(
        self,
        *,
        clock: Clock,
        meter: Meter,
        high: float,
        critical: float,
        limit: LimitPolicy,
        memory: Callable[[], float],
    ) -> None:
        """`memory` gives the share of the allowed memory that is resident."""
        self._clock = clock
        self._meter = meter
        self._breakers: dict[str, Breaker] = {}
        self._bulkheads: dict[str, Bulkhead] = {}
        self.gate = Gate(AdaptiveLimit(limit, clock.monotonic), clock.monotonic)
        self._degradation = Degradation(
            high=high, critical=critical, monotonic=clock.monotonic, changed=self._level_changed
        )
        self._saturation = Saturation(
            {
                "pool_wait": self._pool_wait,
                "concurrency": lambda: self.gate.in_flight / self.gate.limit,
                "memory": memory,
            },
            # It sleeps on the event loop, and so measures by the loop's own clock.
            loop_lag_limit_seconds=LOOP_LAG_LIMIT_SECONDS,
        )

    @property
    def level(self) -> Level:
        return self._degradation.level

    def load(self) -> float:
        """Give the fullest signal, in [0, 1]."""
        return min(self._saturation.highest, 1.0)

    def saturation(self) -> dict[str, float]:
        """Give every signal, smoothed; 1 is where the server can take no more."""
        return self._saturation.values()

    def breakers(self) -> list[BreakerReport]:
        """Give the state of every breaker, by name."""
        return [BreakerReport(name, one.state, one.failures) for name, one in sorted(self._breakers.items())]

    def is_off(self, feature: Feature) -> bool:
        """Say whether the server does without a feature now."""
        return self.level >= OFF_FROM[feature]

    def breaker(self, name: str, policy: BreakerPolicy) -> Breaker:
        """Make the breaker of a dependency."""
        breaker = Breaker(
            name, policy, monotonic=self._clock.monotonic, changed=self._breaker_changed, failed=self._breaker_failed
        )
        self._breakers[name] = breaker
        self._meter.set("circuit_breaker_state", breaker.state, breaker_name=name)
        return breaker

    def bulkhead(
        self, name: str, *, concurrent: int, queue: int, longest_wait_seconds: float, reserved: int = 0
    ) -> Bulkhead:
        """Make the bulkhead of a resource."""
        self._bulkheads[name] = Bulkhead(
            name,
            concurrent=concurrent,
            queue=queue,
            longest_wait_seconds=longest_wait_seconds,
            reserved=reserved,
            monotonic=self._clock.monotonic,
            rejected=self.rejected,
        )
        return self._bulkheads[name]

    def rejected(self, bulkhead: str) -> None:
        """Count a caller for whom a bulkhead had no place."""
        self._meter.count("bulkhead_rejected_total", bulkhead=bulkhead)

    def retried(self, dependency: str, granted: bool) -> None:
        """Count a retry, or one that the budget did not grant."""
        self._meter.count("retries_total", dependency=dependency, outcome="granted" if granted else "refused")

    def shed(self, importance: Importance) -> None:
        """Count a request that was turned away."""
        self._meter.count("requests_shed_total", importance=importance.name.lower())

    def degraded(self, feature: Feature) -> None:
        """Count a call of a feature that is off."""
        self._meter.count("features_degraded_total", feature=feature.value)

    def observe(self, loop_lag_seconds: float) -> None:
        """Take a reading of everything at once."""
        self._saturation.observe(loop_lag_seconds)
        self._observed()

    async def run(self) -> None:
        """Observe until cancelled."""
        await self._saturation.run(self._observed)

    def _observed(self) -> None:
        self._degradation.observe(self._saturation.highest)
        meter = self._meter
        meter.set("degradation_level", self.level)
        meter.set("concurrency_limit", self.gate.limit)
        meter.set("requests_in_flight", self.gate.in_flight)
        for signal, value in self._saturation.values().items():
            meter.set("saturation", value, signal=signal)
        for name, bulkhead in self._bulkheads.items():
            meter.set("bulkhead_in_use", bulkhead.in_use, bulkhead=name)
            meter.set("bulkhead_queued", bulkhead.queued, bulkhead=name)
        for name, breaker in self._breakers.items():  # reading the state lets a breaker notice that its time is over
            meter.set("circuit_breaker_state", breaker.state, breaker_name=name)

    def _pool_wait(self) -> float:
        pool = self._bulkheads.get(POOL)
        return 0.0 if pool is None else pool.waited_seconds() / POOL_WAIT_LIMIT_SECONDS

    def _level_changed(self, before: Level, after: Level) -> None:
        saturation = {signal: round(value, 2) for signal, value in self._saturation.values().items()}
        log.warning("degradation.changed", before=before.name.lower(), after=after.name.lower(), **saturation)
        self._meter.count("degradation_changes_total", level=after.name.lower())

    def _breaker_changed(self, name: str, state: State) -> None:
        log.warning("breaker.changed", breaker=name, state=state.name.lower())
        self._meter.set("circuit_breaker_state", state, breaker_name=name)

    def _breaker_failed(self, name: str) -> None:
        self._meter.count("circuit_breaker_failures_total", breaker_name=name)
