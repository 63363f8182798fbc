"""A store of budgets for tests: in memory, on a clock of the test's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.errors import StoreUnavailableError
from pronoia.ports.limit_store import CellGrant
from pronoia.resilience.rate_limit import Rate, take

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pronoia.ports.clock import Clock
    from pronoia.ports.limit_store import CellClaim


class InMemoryLimitStore:
    """Takes cells as the shared stores do. `failing` makes it unavailable; `calls` counts how often it is asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[tuple[UUID, bytes], tuple[float, float]] = {}
        self.failing = False
        self.calls = 0

    async def take(self, claims: Sequence[CellClaim]) -> list[CellGrant]:
        """Take cells of several keys, each by itself. Raises StoreUnavailableError while `failing`."""
        self.calls += 1
        if self.failing:
            raise StoreUnavailableError("The store was told to fail.", reason="told to fail")
        return [self._take(claim) for claim in claims]

    def clear(self) -> None:
        """Forget everything, as a crash makes an unlogged table do."""
        self._held.clear()

    def _take(self, claim: CellClaim) -> CellGrant:
        now = self._clock.monotonic()
        name = (claim.organisation_id, claim.key)
        full_at, spent = self._held.get(name, (now, claim.returned))
        backlog = max(full_at - claim.returned * claim.interval_seconds - now, 0.0)
        rate = Rate(claim.limit, claim.limit * claim.interval_seconds)
        taken = take(rate, backlog, claim.wanted, claim.minimum)
        spent += taken.cells - claim.returned
        self._held[name] = (now + taken.backlog_seconds, spent)
        return CellGrant(taken.cells, taken.backlog_seconds, spent)
