"""How long projects keep memories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.identifiers import Scope


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Memories of a project are deleted when they were stored so many days ago."""

    project_id: str
    days: int


class RetentionStore(Protocol):
    """Raises StoreUnavailableError."""

    async def set(self, organisation_id: UUID, policy: RetentionPolicy) -> None:
        """Set how long a project keeps memories. Raises NotFoundError if there is no such organisation."""
        ...

    async def remove(self, organisation_id: UUID, project_id: str) -> bool:
        """Let a project keep memories for good again, and say whether it had a policy."""
        ...

    async def listed(self, organisation_id: UUID) -> list[RetentionPolicy]:
        """Give all policies by the names of their projects."""
        ...

    async def expired(self, now: datetime, limit: int) -> list[tuple[Scope, UUID]]:
        """Give some memories of any organisation that are older than their project keeps them."""
        ...
