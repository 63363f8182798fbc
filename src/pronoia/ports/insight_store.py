"""How well memory served, by day, and the jobs that look."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from pronoia.domain.identifiers import Scope


@dataclass(slots=True)
class PastUses:
    """n uses of memories, oldest first. Times are seconds since the epoch."""

    memory_ids: list[UUID] = field(default_factory=list["UUID"])
    times: list[float] = field(default_factory=list[float])


class OutcomeKind(StrEnum):
    """An answer that later use can prove right: what was shown, what was held back, and when nothing was said."""

    SEARCH = "search"
    PREDICTION = "prediction"
    SUGGESTION = "suggestion"
    WITHHELD = "withheld"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class DailyOutcome:
    """Sums of one user's day. `bin` is the tenth of the confidence, and `confidence` the sum of it, of predictions."""

    day: date
    kind: OutcomeKind
    bin: int
    trials: int
    hits: int
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class DailyValue:
    """A metric on a day."""

    metric: str
    day: date
    value: float


@dataclass(frozen=True, slots=True)
class LearningRuns:
    """What the analysis did for a user so far."""

    last_run: datetime | None
    next_run: datetime | None
    total_analyses: int
    relationships_created: int


class InsightStore(Protocol):
    """What is kept about how well memory serves. Raises StoreUnavailableError as the memory store does."""

    async def accesses(self, scope: Scope, since: datetime, limit: int) -> PastUses:
        """Read the uses of a period, out of the user's `limit` newest events."""
        ...

    async def satisfaction(self, scope: Scope, since: datetime) -> list[DailyValue]: ...

    async def add_outcomes(self, outcomes: Sequence[tuple[Scope, DailyOutcome]]) -> None:
        """Add to the daily sums of any number of users in one statement."""
        ...

    async def outcomes(self, scope: Scope, since: date) -> list[DailyOutcome]: ...

    async def keep_metric(self, scope: Scope, value: DailyValue) -> None: ...

    async def metrics(self, scope: Scope, since: date) -> list[DailyValue]: ...

    async def note_run(self, scope: Scope, job: str, at: datetime, relationships_created: int) -> None: ...

    async def runs(self, scope: Scope) -> LearningRuns: ...


class ScheduleStore(Protocol):
    """Gives each due job to one process. `at` None means the database's clock, which all processes share."""

    async def claim(self, job: str, holder: UUID, lease_seconds: float, at: datetime | None) -> UUID | None:
        """Take the job for one organisation whose turn it is, or None."""
        ...

    async def finish(
        self, organisation_id: UUID, job: str, holder: UUID, pause_seconds: float, at: datetime | None
    ) -> None:
        """Let it be due again after a pause. Does nothing if the lease was lost."""
        ...

    async def active_users(self, organisation_id: UUID, job: str, limit: int) -> list[Scope]:
        """List users with uses since the job was last noted for them, those who waited longest first."""
        ...
