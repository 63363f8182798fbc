"""The audit log, and the place outside of the database that its heads are signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.audit import Actor, AuditHead, AuditOutcome, AuditRow, Checkpoint
    from pronoia.domain.records import Idempotency


@dataclass(frozen=True, slots=True)
class NewAuditRow:
    """A row as it is told. `details` is short, and holds neither texts nor secrets nor names."""

    organisation_id: UUID
    action: str
    outcome: AuditOutcome
    actor: Actor
    details: Mapping[str, object]
    user_id: str | None = None
    """Kept as the user's pseudonym."""


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """Which rows are wanted. None means no condition."""

    actions: Sequence[str] | None = None
    actor: str | None = None
    outcome: AuditOutcome | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditCount:
    """How often an action had an outcome. A row that tells of several refusals counts as many."""

    action: str
    outcome: str
    times: int


@dataclass(frozen=True, slots=True)
class Chained:
    """What one round of the chainer did, and what it left. `waiting` is at most 10,001."""

    rows: int
    waiting: int
    waiting_seconds: float
    """How long the oldest row that is left has waited."""


class AuditStore(Protocol):
    async def record(self, rows: Sequence[NewAuditRow], idempotency: Idempotency | None = None) -> None:
        """Add rows, each organisation's in a transaction of their own; with an idempotency key, once."""
        ...

    async def lead(self, process: UUID, seconds: float) -> bool:
        """Say whether a process is the one that chains, for some seconds from now."""
        ...

    async def chain(self, maximum: int) -> Chained | None:
        """Link and number what waits; None if another process is doing it."""
        ...

    async def heads(self, since: datetime | None) -> tuple[datetime, list[AuditHead]]:
        """Give the heads of all organisations that moved since a time, or all; and the time to ask from next."""
        ...

    async def rows(
        self, organisation_id: UUID, filters: AuditFilters, *, before: int | None, offset: int, limit: int
    ) -> list[AuditRow]:
        """Give chained rows, newest first, below a number."""
        ...

    async def count(self, organisation_id: UUID, filters: AuditFilters, maximum: int) -> int:
        """Count chained rows, up to a maximum."""
        ...

    async def counts(self, organisation_id: UUID, since: datetime) -> list[AuditCount]:
        """Count what happened since a time."""
        ...


class CheckpointLog(Protocol):
    """Keeps signed checkpoints where whoever can write the database cannot rewrite them."""

    def begins_anew(self) -> bool:
        """Whether the next checkpoints have to hold all heads: whatever was written before may not be at hand."""
        ...

    async def write(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Sign and keep checkpoints. Raises OSError."""
        ...
