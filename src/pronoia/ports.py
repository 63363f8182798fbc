"""What the inside asks of the outside: small protocols, and the records that cross them. Their only list, so long."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from uuid import UUID  # noqa: TC003 - outcomes of writes are decoded by their annotations

from pronoia.domain.maintenance import MaintenanceAction  # noqa: TC001 - outcomes of writes are decoded by it
from pronoia.domain.records import Memory, Relationship  # noqa: TC001 - outcomes of writes are decoded by them

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime

    from pronoia.domain.alerts import Alert, Severity
    from pronoia.domain.identifiers import Scope
    from pronoia.domain.maintenance import MaintenanceStep
    from pronoia.domain.records import (
        Access,
        ApiKey,
        Feedback,
        Filters,
        Idempotency,
        MemoryChanges,
        NewMemory,
        RelationshipType,
        Revision,
        Vector,
    )


class Clock(Protocol):
    def now(self) -> datetime:
        """Give the current time, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Give seconds that never go backwards."""
        ...


class Meter(Protocol):
    """Counts and measures; the families and their labels are listed in one place, and no label names a person."""

    def count(self, family: str, amount: float = 1.0, **labels: str) -> None: ...

    def observe(self, family: str, value: float, **labels: str) -> None: ...

    def set(self, family: str, value: float, **labels: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of a family; a histogram has several, told apart by the name's ending."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class MeasuredFamily:
    name: str
    type: str
    help: str
    samples: list[Measured]


class Exposition(Protocol):
    """Shows what was counted and measured, by all processes of this server."""

    async def text(self) -> bytes:
        """Give every series in Prometheus' text format, version 0.0.4."""
        ...

    async def families(self) -> list[MeasuredFamily]:
        """Give the same as records."""
        ...


class Span(Protocol):
    """A part of a trace that has not ended."""

    def describe(self, name: str, **attributes: str | float) -> None:
        """Name it, and say what is known of it by now; never a memory's text, a key or a token."""
        ...


class Tracing(Protocol):
    """Follows a request through the server, and over its edges."""

    def span(self, name: str, headers: Mapping[str, str] | None = None, /) -> AbstractContextManager[Span]:
        """Record what is done within; with a request's headers, as a part of the trace that its sender began."""
        ...

    def ended(self, name: str, seconds: float, *, failed: bool = False, **attributes: str | float) -> None:
        """Record what took so long and has just ended."""
        ...

    async def close(self) -> None:
        """Send what is left."""
        ...


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What makes the server's work visible."""

    meter: Meter
    exposition: Exposition
    tracing: Tracing


class Embedder(Protocol):
    """Turns texts into unit vectors of one space."""

    @property
    def space(self) -> str:
        """Name model, size and version of the space; vectors of two spaces never meet."""
        ...

    @property
    def dimensions(self) -> int: ...

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed texts in order. Raises EmbeddingUnavailableError; never returns fewer, or a non-finite number."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class MemoryColumns:
    """n memories by column, in the order of their ids. Times are seconds since the epoch."""

    ids: bytes = b""
    """16 bytes a memory."""
    vectors: bytes = b""
    """Big-endian IEEE half floats of the memories in `embedded`, as PostgreSQL sends a halfvec, headers included."""
    embedded: list[bool] = field(default_factory=list[bool])
    """Whether the memory has a vector in the space that was asked for."""
    terms: bytes = b""
    term_counts: list[int] = field(default_factory=list[int])
    """Words a memory has in `terms`."""
    texts: list[str] = field(default_factory=list[str])
    sources: list[str] = field(default_factory=list[str])
    project_ids: list[str] = field(default_factory=list[str])
    tags: list[str] = field(default_factory=list[str])
    """A JSON array of strings each."""
    metadata: list[str] = field(default_factory=list[str])
    """A JSON object each."""
    session_ids: list[str | None] = field(default_factory=list["str | None"])
    agent_ids: list[str | None] = field(default_factory=list["str | None"])
    speakers: list[str | None] = field(default_factory=list["str | None"])
    occurred_at: list[float | None] = field(default_factory=list["float | None"])
    created_at: list[float] = field(default_factory=list[float])
    updated_at: list[float] = field(default_factory=list[float])
    duplicate_of: list[UUID | None] = field(default_factory=list["UUID | None"])


@dataclass(slots=True)
class UsageColumns:
    """What is counted about a memory that was ever used or judged; absolute values."""

    ids: list[UUID] = field(default_factory=list["UUID"])
    usage_count: list[int] = field(default_factory=list[int])
    last_accessed: list[float | None] = field(default_factory=list["float | None"])
    helpfulness: list[float] = field(default_factory=list[float])


@dataclass(slots=True)
class RelationshipColumns:
    """n relationships by column, in the order of their ids."""

    ids: bytes = b""
    """16 bytes a relationship; so are both ends."""
    memory_ids: bytes = b""
    related_memory_ids: bytes = b""
    types: list[str] = field(default_factory=list[str])
    strengths: bytes = b""
    """In [0, 1], a big-endian float64 a relationship."""
    explanations: list[str] = field(default_factory=list[str])
    created_at: bytes = b""
    """Seconds since the epoch, a big-endian float64 a relationship."""


@dataclass(frozen=True, slots=True)
class AccessColumns:
    """Uses by column, in the order of the log."""

    memory_ids: bytes = b""
    """16 bytes a use."""
    times: bytes = b""
    """Seconds since the epoch, a big-endian float64 a use."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One user's memory as of `version` (writes) and `activity` (uses), read in one consistent transaction.

    A complete snapshot replaces all that is held; any other holds only what changed after the versions asked for.
    """

    version: int
    activity: int
    complete: bool
    memories: MemoryColumns
    usage: UsageColumns
    relationships: list[Relationship]
    """Beside those in `links`."""
    removed_memories: list[UUID]
    removed_relationships: list[UUID]
    accesses: AccessColumns = field(default_factory=AccessColumns)
    """Of a complete snapshot, the newest; of any other, all after the activity asked for."""
    links: RelationshipColumns = field(default_factory=RelationshipColumns)
    """Relationships of a complete snapshot."""


@dataclass(frozen=True, slots=True)
class UserState:
    """What is known about a user without reading their memory."""

    version: int
    activity: int
    memory_count: int


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of a write: the user's version after it, and the memories as they now are."""

    version: int
    memories: tuple[Memory, ...] = ()
    replayed: bool = False
    """True if an Idempotency-Key had already done this; nothing was changed now."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome of a feedback."""

    version: int
    memory_id: UUID
    helpfulness_score: float
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Related:
    """The outcome of writing or removing a relationship."""

    version: int
    relationship: Relationship
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The outcome of forgetting a user."""

    version: int
    memories: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Maintained:
    """The outcome of maintenance: each action as it now is, in the order asked for."""

    version: int
    actions: tuple[MaintenanceAction, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class RelationshipCount:
    """How many relationships a user has of a type."""

    type: RelationshipType
    count: int
    average_strength: float


class MemoryStore(Protocol):
    """The truth about memories. Every call runs under one tenant and every write is durable when it returns.

    Writes raise IdempotencyConflictError if the key was used for another request, NotFoundError for ids that the
    user does not own, StoreUnavailableError if the database does not answer in time. With an idempotency key that
    was used for the same request they change nothing and return the first outcome with `replayed` set.
    """

    async def add(self, scope: Scope, memories: Sequence[NewMemory], idempotency: Idempotency | None) -> Written:
        """Store memories; one whose text the user already has comes back with `duplicate_of` set."""
        ...

    async def update(
        self, scope: Scope, memory_id: UUID, changes: MemoryChanges, at: datetime, idempotency: Idempotency | None
    ) -> Written: ...

    async def delete(self, scope: Scope, memory_id: UUID, at: datetime, idempotency: Idempotency | None) -> Written:
        """Delete a memory and all that was derived from it. The outcome carries no memories."""
        ...

    async def forget(self, scope: Scope, idempotency: Idempotency | None) -> Forgotten:
        """Delete everything that is held about a user."""
        ...

    async def judge(
        self, scope: Scope, memory_id: UUID, feedback: Feedback, idempotency: Idempotency | None
    ) -> Judged: ...

    async def relate(self, scope: Scope, relationship: Relationship, idempotency: Idempotency | None) -> Related:
        """Write a relationship; one of the same pair and type is replaced."""
        ...

    async def unrelate(self, scope: Scope, relationship_id: UUID, idempotency: Idempotency | None) -> Related: ...

    async def state(self, scope: Scope) -> UserState:
        """Give zeros for a user who has never written."""
        ...

    async def load(self, scope: Scope, space: str, since: UserState | None) -> Snapshot:
        """Read a user's memory, or what changed after `since`."""
        ...

    async def candidates(
        self, scope: Scope, space: str, vector: Vector | None, words: str, filters: Filters, limit: int
    ) -> Snapshot:
        """Read up to `limit` memories near the vector and up to `limit` that share words: for the largest users."""
        ...

    async def last_used(self, scope: Scope, space: str, limit: int) -> Snapshot:
        """Read the `limit` memories used last, their uses, and the relationships among them: for the largest users."""
        ...

    async def neighbourhood(
        self, scope: Scope, space: str, memory_id: UUID, *, steps: int, edges: int, limit: int
    ) -> Snapshot:
        """Read up to `limit` memories that are at most so many steps away from one, and the relationships among them.

        From each, the strongest `edges` lead on, its own before others'. For the largest users.
        """
        ...

    async def relationship_types(self, scope: Scope) -> list[RelationshipCount]:
        """Count relationships by type: for the largest users."""
        ...

    async def memory(self, scope: Scope, memory_id: UUID) -> Memory: ...

    async def link_count(self, scope: Scope, memory_id: UUID) -> int:
        """Count the relationships from and to a memory."""
        ...

    async def page(
        self,
        scope: Scope,
        filters: Filters,
        before: UUID | None,
        offset: int,
        limit: int,
        *,
        ascending: bool = False,
    ) -> tuple[list[Memory], int]:
        """List newest first, or oldest first if `ascending`, and count all that match: for the largest users."""
        ...

    async def history(self, scope: Scope, memory_id: UUID) -> list[Revision]: ...


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


class AccessLog(Protocol):
    async def record(self, accesses: Sequence[Access]) -> dict[Scope, int]:
        """Append uses of many users at once, count them, and give each user's activity after it.

        Uses of memories that no longer exist are dropped.
        """
        ...


@dataclass(frozen=True, slots=True)
class Totals:
    """What is stored of all tenants together."""

    memories: int
    users: int
    organisations: int
    relationships: int
    """An estimate above a million."""
    pending_work: Mapping[WorkKind, int]


class TotalsStore(Protocol):
    async def totals(self) -> Totals:
        """Count. Takes longer the more users there are: ask seldom."""
        ...


class ContributionStore(Protocol):
    """What users taught the prediction of their organisation: equally long lists of numbers that are added up.

    `layout` names what the numbers mean; those of another layout do not count.
    """

    async def total(self, organisation_id: UUID, layout: str) -> list[float]:
        """Add up an organisation's users; empty if there are none."""
        ...

    async def of_user(self, scope: Scope, layout: str) -> list[float]:
        """Give one user's; empty if there is none."""
        ...

    async def add(self, layout: str, additions: Mapping[Scope, Sequence[float]]) -> None:
        """Add to what is stored for users; those that were forgotten meanwhile are left out."""
        ...


@dataclass(frozen=True, slots=True)
class RankingExample:
    """What became of a search: a memory that was judged or used, and what was shown beside it."""

    id: UUID
    """A UUID version 7: the order of ids is that of time."""
    query: str
    memory_id: UUID
    shown: tuple[UUID, ...]
    helpful: bool
    strength: float
    """How much it says, in (0, 1]."""


@dataclass(frozen=True, slots=True)
class RankingState:
    """What was fitted for a user."""

    layout: str | None = None
    """What the weights mean; None if there are none."""
    weights: tuple[float, ...] = ()
    served: bool = False
    """Whether they beat the prior on examples that they were not fitted to."""
    fitted_at: datetime | None = None
    searches: int = 0
    examples: int = 0


@dataclass(frozen=True, slots=True)
class FeedbackSummary:
    positive: int
    negative: int
    satisfaction: float | None
    """The mean of what was given, in [0, 1]; None if nothing was."""


class RankingStore(Protocol):
    """What ranking weights are fitted to, and what came of it. Deleting a memory removes the examples that name it."""

    async def add(self, scope: Scope, example: RankingExample, keep: int) -> int | None:
        """Keep an example and the `keep` newest of all; give how many there were before. None if the memory is gone."""
        ...

    async def examples(self, scope: Scope) -> list[RankingExample]:
        """Give a user's examples, oldest first."""
        ...

    async def state(self, scope: Scope) -> RankingState:
        """Give an empty one for a user about whom nothing is known."""
        ...

    async def save(self, scope: Scope, state: RankingState, example_ids: Sequence[UUID]) -> bool:
        """Keep weights; False, and nothing done, if one of their examples was forgotten meanwhile."""
        ...

    async def organisation_weights(self, scope: Scope, layout: str) -> tuple[int, list[float]]:
        """Count the other users of the organisation who are served their own weights, and give the mean of those."""
        ...

    async def count_searches(self, searches: Mapping[Scope, int]) -> None:
        """Add to the users' searches; those who never wrote are left out."""
        ...

    async def feedback(self, scope: Scope) -> FeedbackSummary: ...


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


class KeyStore(Protocol):
    async def find(self, key_id: str) -> ApiKey | None: ...

    async def create(self, key: ApiKey) -> None: ...

    async def listed(self, organisation_id: UUID) -> list[ApiKey]: ...

    async def revoke(self, organisation_id: UUID, key_id: str, at: datetime) -> ApiKey:
        """Raise NotFoundError for an unknown key; revoking twice keeps the first time."""
        ...


@dataclass(frozen=True, slots=True)
class CellClaim:
    """What a process wants of the cells of one key, which come back one in `interval_seconds` up to `limit`."""

    organisation_id: UUID
    key: bytes
    interval_seconds: float
    limit: float
    wanted: float
    minimum: float
    """Fewer are of no use: then none are taken."""
    returned: float = 0.0
    """Cells that were taken before and never used."""


@dataclass(frozen=True, slots=True)
class CellGrant:
    cells: float
    """0, or between the minimum and what was wanted."""
    backlog_seconds: float
    """In how many seconds everything that was taken will have come back."""
    spent: float
    """A running total of the key; it begins at 0 again when the store forgot the key."""


class LimitStore(Protocol):
    """Budgets that all processes share, on one clock. It may forget everything at any moment: then budgets are full."""

    async def take(self, claims: Sequence[CellClaim]) -> list[CellGrant]:
        """Take cells of several keys at once, each by itself. Raises StoreUnavailableError."""
        ...


class ChangeFeed(Protocol):
    """Tells other processes that a user's memory changed, and hears it from them."""

    async def announce(self, changes: Sequence[tuple[Scope, UserState]]) -> None: ...

    async def run(self, heard: Callable[[bytes, int, int], None], lost: Callable[[], None]) -> None:
        """Listen until cancelled, reconnecting with a growing wait.

        Calls `heard(scope.digest, version, activity)` for each change, and `lost()` whenever one may have been missed.
        """
        ...


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


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What a cache tier keeps."""

    value: bytes
    expires_at: float
    """Seconds since the epoch."""
    cost_seconds: float = 0.0
    """What making it took."""
    version: int | None = None
    """Of its owner's memory, that it reflects; None if it reflects none."""


@dataclass(frozen=True, slots=True)
class CacheSize:
    entries: int
    nbytes: int


class CacheTier(Protocol):
    """Keeps values of users that can always be made again. Raises UnavailableError when it does not answer.

    An owner without a name is the organisation as a whole. No value is ever found by another owner.
    """

    @property
    def name(self) -> str: ...

    @property
    def lifetime_seconds(self) -> float: ...

    @property
    def clean_seconds(self) -> float:
        """Say how often to clean."""
        ...

    async def get(self, owner: Scope, key: bytes) -> CacheEntry | None:
        """Give what is kept and has not expired."""
        ...

    async def put(self, owner: Scope, key: bytes, entry: CacheEntry) -> None:
        """Keep a value, unless it is too large, or the owner's memory is known to have moved on from its version."""
        ...

    async def forget(self, owner: Scope) -> None:
        """Drop all of an owner's values."""
        ...

    async def clean(self) -> CacheSize:
        """Drop what has expired and what is beyond the bounds, and say what is left."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class Level:
    """What happened in a minute, or in several added up. Requests are those of users, not of probes.

    The durations, in the buckets of `services.monitoring.histogram`, are those of requests that were served.
    """

    requests: int = 0
    failed: int = 0
    """Answered with 5xx, what was shed included."""
    shed: int = 0
    """Turned away under load."""
    seconds: float = 0.0
    """Durations of the requests served, added up."""
    cache_asked: int = 0
    cache_found: int = 0
    patterns: int = 0
    """Patterns of use that were detected."""
    latencies: list[int] = field(default_factory=list[int])
    foresight: list[int] = field(default_factory=list[int])
    """Of predictions and suggestions alone."""


@dataclass(frozen=True, slots=True)
class KeptLevel:
    """What is kept of a time, and how much of the time that is."""

    level: Level
    minutes: int
    """Minutes in which a process ran."""
    dead_minutes: int
    """Those of them in which requests came and all failed."""
    first: datetime | None
    """The first minute that is kept."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """What a process measures now."""

    family: str
    labels: Mapping[str, str]
    value: float


class MonitoringStore(Protocol):
    """What all processes of an instance know together. Raises StoreUnavailableError."""

    async def add_levels(self, levels: Mapping[datetime, Level]) -> None:
        """Add to the levels of minutes. If the outcome is unknown and it is done again, a minute counts twice."""
        ...

    async def levels(self, since: Sequence[datetime]) -> list[KeptLevel]:
        """Add up the minutes that began after each of some times."""
        ...

    async def report(self, process: UUID, gauges: Sequence[Gauge]) -> None:
        """Replace what a process reported before."""
        ...

    async def reports(self, seconds: float) -> list[list[Gauge]]:
        """Give the reports of the processes that reported within some seconds."""
        ...

    async def lead(self, process: UUID, seconds: float) -> bool:
        """Say whether a process is the one that may act for all, for some seconds from now."""
        ...

    async def save_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts, each as it is now."""
        ...

    async def alerts(self, limit: int, severity: Severity | None) -> list[Alert]:
        """Give the newest alerts, the newest first."""
        ...

    async def metric_rows(self, since: datetime) -> int:
        """Count the rows of metrics that learning wrote for the days since a time."""
        ...

    async def tables(self) -> dict[str, bool]:
        """Say of every table that the server needs whether it is there."""
        ...

    async def forget(self, levels_before: datetime, alerts_before: datetime, keep_alerts: int) -> None:
        """Drop what is older, all but the newest alerts, and reports of processes that ended."""
        ...


class AlertReceiver(Protocol):
    """Somebody whom alerts are sent to."""

    @property
    def name(self) -> str: ...

    @property
    def repeat_seconds(self) -> float | None:
        """How often a firing alert is told again; None if once is enough."""
        ...

    async def send(self, alert: Alert) -> None:
        """Tell that an alert fires, or that it is over. Raises AlertNotSentError."""
        ...

    async def close(self) -> None: ...
