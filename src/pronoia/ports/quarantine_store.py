"""Memories that are taken out of use together, and brought back, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID  # noqa: TC003 - outcomes of writes are decoded by their annotations

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.maintenance import MaintenanceAction
    from pronoia.domain.records import Idempotency
    from pronoia.domain.trust import Provenance, Trust


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a user's memories are meant: those that meet every condition. None is no condition."""

    memory_ids: tuple[UUID, ...] | None = None
    batch_id: UUID | None = None
    key_id: str | None = None
    """The key that wrote them, or changed them last."""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The outcome of taking memories out of use, or of bringing them back; oldest first."""

    version: int
    memory_ids: tuple[UUID, ...]
    action_id: UUID | None = None
    """What took them out of use."""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class QuarantinedMemory:
    id: UUID
    text: str
    source: str
    created_at: datetime
    trust: Trust
    provenance: Provenance | None
    edited_by: str | None
    """The key that changed it last."""
    action_id: UUID
    rolled_back: bool
    at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call or import wrote."""

    id: UUID
    key_id: str | None
    route: str
    trust: Trust
    """The least of its memories."""
    at: datetime
    memory_count: int
    out_of_use: int


class QuarantineStore(Protocol):
    """Retries are as for MemoryStore."""

    async def take(
        self,
        scope: Scope,
        action: MaintenanceAction,
        selection: Selection,
        limit: int,
        reason: str | None,
        idempotency: Idempotency | None,
    ) -> Moved:
        """Take up to `limit` memories out of use, in one transaction. Raises NotFoundError if none matches."""
        ...

    async def release(
        self, scope: Scope, selection: Selection, at: datetime, limit: int, idempotency: Idempotency | None
    ) -> Moved:
        """Bring up to `limit` memories back, in one transaction. Raises NotFoundError if none matches."""
        ...

    async def quarantined(self, scope: Scope, after: UUID | None, limit: int) -> list[QuarantinedMemory]:
        """List what is quarantined or rolled back, newest first; what follows the id `after`."""
        ...

    async def batches(self, scope: Scope, after: UUID | None, limit: int) -> list[Batch]:
        """List batches, newest first; those that follow the id `after`."""
        ...
