from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pronoia.domain.errors import StoreUnavailableError

if TYPE_CHECKING:
    from pronoia.ports import Clock


class Probe(Protocol):
    async def check(self) -> None:
        """Raise StoreUnavailableError if the database does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    healthy: bool
    latency_ms: float
    error: str | None


class Health:
    """Asks the database; the process itself is healthy if it can answer at all."""

    def __init__(self, *, database: Probe, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def check(self) -> DatabaseHealth:
        """Ask the database once."""
        started = self._clock.monotonic()
        error = None
        try:
            await self._database.check()
        except StoreUnavailableError as failure:
            error = failure.message
        return DatabaseHealth(error is None, round(1000 * (self._clock.monotonic() - started), 2), error)
