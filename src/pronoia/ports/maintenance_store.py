"""What is done to mend a memory, and undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pronoia.domain.maintenance import MaintenanceAction  # noqa: TC001 - outcomes of writes are decoded by them

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.maintenance import MaintenanceStep
    from pronoia.domain.records import Idempotency


@dataclass(frozen=True, slots=True)
class Maintained:
    """The outcome of maintenance: each action as it now is, in the order asked for."""

    version: int
    actions: tuple[MaintenanceAction, ...]
    replayed: bool = False


class MaintenanceStore(Protocol):
    """Mends users' memory so that it can be undone."""

    async def maintain(
        self, scope: Scope, steps: Sequence[MaintenanceStep], at: datetime, idempotency: Idempotency | None
    ) -> Maintained:
        """Do all steps or none. Raises NotFoundError for what the user does not have in use, or did not take out.

        Undoing what was undone before changes nothing. Retries are as for MemoryStore.
        """
        ...

    async def actions(self, scope: Scope, limit: int) -> list[MaintenanceAction]:
        """List what was done, newest first."""
        ...

    async def purge_actions(self, before: datetime, at: datetime, limit: int) -> int:
        """Delete up to `limit` actions of any user from before a time with all they took out of use; say how many."""
        ...
