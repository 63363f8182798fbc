"""Upkeep of the store that no request waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pronoia.domain.identifiers import Scope


class HousekeepingStore(Protocol):
    """Does a bounded piece at each call. Raises StoreUnavailableError."""

    async def purge_idempotency_keys(self) -> int:
        """Forget some outcomes older than a day, and say how many; 0 if there are none."""
        ...

    async def purge_removals(self) -> int:
        """Forget some ids of what was deleted a month ago, and say how many; 0 if there are none."""
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
