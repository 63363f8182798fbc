"""Memories, their uses, and the news of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID  # noqa: TC003 - outcomes of writes are decoded by their annotations

from pronoia.domain.erasures import Receipt  # noqa: TC001 - outcomes of writes are decoded by them
from pronoia.domain.records import Memory, Relationship  # noqa: TC001 - outcomes of writes are decoded by them

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from pronoia.domain.erasures import Erasure
    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import (
        Access,
        Feedback,
        Filters,
        Idempotency,
        MemoryChanges,
        NewMemory,
        RelationshipType,
        Revision,
        Vector,
    )
    from pronoia.ports.snapshots import Snapshot, UserState


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
    receipt: Receipt
    keys: tuple[str, ...] = ()
    """Ids of keys that named the user, and were revoked."""
    replayed: bool = False

    @property
    def memories(self) -> int:
        return self.receipt.counts["memories"]


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

    async def forget(self, scope: Scope, idempotency: Idempotency | None, erasure: Erasure) -> Forgotten:
        """Delete everything that is held about a user, and keep a receipt."""
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

    async def mendable(self, scope: Scope, space: str, *, unhelpful: float, limit: int) -> Snapshot:
        """Read what could need mending, and the relationships among it: for the largest users.

        These are up to `limit` memories each of those used last, of those that were never used (the oldest), and of
        those judged at most so helpful (the longest unused).
        """
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


class AccessLog(Protocol):
    async def record(self, accesses: Sequence[Access]) -> dict[Scope, int]:
        """Append uses of many users at once, count them, and give each user's activity after it.

        Uses of memories that no longer exist are dropped.
        """
        ...


class ChangeFeed(Protocol):
    """Tells other processes that a user's memory changed, and hears it from them."""

    async def announce(
        self, changes: Sequence[tuple[Scope, UserState]], forgotten: Collection[Scope] = frozenset()
    ) -> None:
        """Tell of changes; those of users in `forgotten` are that nothing is held of them any more."""
        ...

    async def run(
        self,
        heard: Callable[[bytes, int, int], None],
        forgotten: Callable[[bytes], None],
        lost: Callable[[], None],
    ) -> None:
        """Listen until cancelled, reconnecting with a growing wait.

        Calls `heard(scope.digest, version, activity)` for each change, then `forgotten(scope.digest)` if that is what
        it was, and `lost()` whenever one may have been missed.
        """
        ...
