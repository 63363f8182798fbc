from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pronoia.domain.errors import StoreUnavailableError
from pronoia.resilience.breaker import State
from pronoia.services.resilience import POOL

if TYPE_CHECKING:
    from pronoia.ports.clock import Clock
    from pronoia.services.resilience import Resilience

LONGEST_WAIT_SECONDS = 2.0
"""Whoever asks whether to send requests here waits no longer than that, whatever the database does."""


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
    breaker: State
    breaker_failures: int
    """In a row, as far as they count."""

    @property
    def ready(self) -> bool:
        return self.reason is None

    @property
    def reason(self) -> str | None:
        """Say why requests cannot be served."""
        if self.error is None and self.breaker is State.OPEN:
            return "The database failed repeatedly and is left alone for a while."
        return self.error


class Health:
    """Asks the database; the process itself is healthy if it can answer at all."""

    def __init__(self, *, database: Probe, resilience: Resilience, clock: Clock) -> None:
        self._database = database
        self._resilience = resilience
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
        (breaker,) = (one for one in self._resilience.breakers() if one.name == POOL)
        return Readiness(
            latency_ms=round(1000 * (self._clock.monotonic() - started), 2),
            error=error,
            breaker=breaker.state,
            breaker_failures=breaker.failures,
        )
