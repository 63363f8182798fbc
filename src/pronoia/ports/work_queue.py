"""Work that a write leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Relationship, Vector
    from pronoia.ports.memory_store import Written


@dataclass(frozen=True, slots=True)
class PendingWork:
    """A claim. It holds until others may claim the same; `leases` are the times when that is, one or more."""

    scope: Scope
    memory_ids: tuple[UUID, ...]
    leases: tuple[datetime, ...]


class WorkKind(StrEnum):
    """What can be left to do for a memory after its write was acknowledged."""

    EMBED = "embed"
    LINK = "link"


class WorkQueue(Protocol):
    """Durable work that writing a memory leaves behind. A claim that is not finished in time is given out again.

    Whoever finishes after somebody else's claim, or after the memory changed, changes nothing.
    """

    async def claim(self, kind: WorkKind, limit: int, lease_seconds: float) -> list[PendingWork]: ...

    async def finish_links(self, work: PendingWork, relationships: Sequence[Relationship]) -> Written:
        """Store found relationships (existing pairs are kept) and close the work in one transaction."""
        ...

    async def finish_vectors(self, work: PendingWork, vectors: Sequence[tuple[UUID, Vector]]) -> Written:
        """Store vectors and close the work in one transaction."""
        ...
