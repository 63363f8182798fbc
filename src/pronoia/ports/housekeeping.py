"""Upkeep of the store that no request waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta
    from uuid import UUID

    from pronoia.domain.identifiers import Scope


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept; None is for ever."""

    outcomes: timedelta
    """Of writes with an idempotency key."""
    uses: timedelta | None
    removals: timedelta | None
    """That memories and relationships were deleted."""
    metrics: timedelta | None
    """Daily sums and metrics of learning."""
    token_revocations: timedelta
    """No token lives longer."""


class HousekeepingStore(Protocol):
    """Does a bounded piece at each call. Raises StoreUnavailableError."""

    async def claim(self, job: str, seconds: float) -> bool:
        """Say whether a job is the caller's: it is nobody's again for so many seconds."""
        ...

    async def purge_idempotency_keys(self, age: timedelta) -> int:
        """Forget some older outcomes, and say how many; 0 if there are none."""
        ...

    async def purge_history(
        self, after: Scope | None, uses_before: datetime, removals_before: datetime
    ) -> tuple[Scope | None, int]:
        """Forget older uses and removals of some users after one.

        Give whom to go on after, None at the end, and how many were forgotten. Whoever holds a working set from before
        what was forgotten reads all of it anew.
        """
        ...

    async def purge_metrics(self, before: date) -> int:
        """Forget some daily sums and metrics of earlier days, and say how many; 0 if there are none."""
        ...

    async def purge_token_revocations(self, before: datetime) -> int:
        """Forget some revocations of tokens that have expired since, and say how many; 0 if there are none."""
        ...

    async def expired_memories(self, now: datetime, limit: int) -> list[tuple[Scope, UUID]]:
        """Give some memories that are older than their project keeps them."""
        ...

    async def refresh_reports(self) -> None:
        """Compute anew what reports are read from."""
        ...

    async def users_to_index(self) -> list[Scope]:
        """Give users who outgrew the working sets and are not wholly in the shared indexes yet."""
        ...

    async def mark_approximate(self, scope: Scope) -> bool:
        """Put some memories of such a user into the shared indexes; True when all are in."""
        ...

    async def ensure_vector_index(self, dimensions: int) -> bool:
        """Build the shared index of vectors of this size if it is not there, and say whether it was built now."""
        ...
