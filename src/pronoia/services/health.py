from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pronoia.domain.errors import StoreUnavailableError
from pronoia.services.monitoring.readings import BREAKER, BREAKER_FAILURES

if TYPE_CHECKING:
    from pronoia.ports import Clock
    from pronoia.services.monitoring.readings import Readings

LONGEST_WAIT_SECONDS = 2.0
"""Whoever asks whether to send requests here waits no longer than that, whatever the database does."""
STATES = {0.0: "CLOSED", 1.0: "HALF_OPEN", 2.0: "OPEN"}
OPEN = STATES[2.0]
DATABASE = "database"


class Probe(Protocol):
    async def check(self) -> None:
        """Raise StoreUnavailableError if the database does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """Requests can be served if the database answered and its breaker does not keep them from it."""

    latency_ms: float
    error: str | None
    """Why the database did not answer."""
    breaker: str
    breaker_failures: int
    """Since the process began."""

    @property
    def ready(self) -> bool:
        return self.reason is None

    @property
    def reason(self) -> str | None:
        """Say why requests cannot be served."""
        if self.error is None and self.breaker == OPEN:
            return "The database failed repeatedly and is left alone for a while."
        return self.error


class Health:
    """Asks the database; the process itself is healthy if it can answer at all."""

    def __init__(self, *, database: Probe, readings: Readings, clock: Clock) -> None:
        self._database = database
        self._readings = readings
        self._clock = clock

    async def check(self) -> Readiness:
        """Ask the database once."""
        started = self._clock.monotonic()
        error = None
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await self._database.check()
        except StoreUnavailableError as failure:
            error = failure.message
        except TimeoutError:
            error = f"The database did not answer within {LONGEST_WAIT_SECONDS:g} s."
        state = self._readings.by(BREAKER, "breaker_name").get(DATABASE, 0.0)
        return Readiness(
            latency_ms=round(1000 * (self._clock.monotonic() - started), 2),
            error=error,
            breaker=STATES[state],
            breaker_failures=self._readings.total(BREAKER_FAILURES, breaker_name=DATABASE),
        )
