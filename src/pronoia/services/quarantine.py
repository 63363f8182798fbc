"""Taking poisoned memories out of use, one by one or by where they came from, and bringing them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.errors import InvalidInputError, MissingFieldError
from pronoia.domain.identifiers import new_id
from pronoia.domain.maintenance import MaintenanceAction, MaintenanceKind
from pronoia.ports.quarantine_store import Selection
from pronoia.ports.snapshots import UserState
from pronoia.services.drafts import check_name, check_text

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Idempotency
    from pronoia.memory.residents import Residents
    from pronoia.ports.clock import Clock
    from pronoia.ports.quarantine_store import Batch, Moved, QuarantinedMemory, QuarantineStore
    from pronoia.ports.telemetry import Meter
    from pronoia.services.changes import Changes
    from pronoia.services.ranking_weights import RankingWeights

MOST_MOVED = 10_000
"""Memories that one call takes out of use or brings back."""
MOST_ROLLED_BACK = 100_000
MOST_NAMED = 1_000
LONGEST_REASON = 1_000
PAGE = 100


class Quarantine:
    """What is quarantined is found, listed, predicted and suggested no more, joins nothing and teaches nothing.

    Its row, history and counts stay, and so does what joins it to others. A quarantine lasts until it is lifted; what
    was rolled back is deleted after REVERSIBLE_FOR. All raise NotFoundError where the user has nothing that matches.
    """

    def __init__(
        self,
        *,
        store: QuarantineStore,
        residents: Residents,
        changes: Changes,
        ranking_weights: RankingWeights,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._store = store
        self._residents = residents
        self._changes = changes
        self._ranking_weights = ranking_weights
        self._clock = clock
        self._meter = meter

    async def add(
        self, scope: Scope, selection: Selection, reason: str | None = None, idempotency: Idempotency | None = None
    ) -> Moved:
        """Quarantine up to MOST_MOVED memories in use that match, oldest first."""
        _check(selection)
        if reason is not None:
            check_text(reason, "reason", LONGEST_REASON)
        return await self._take(scope, MaintenanceKind.QUARANTINE, selection, MOST_MOVED, reason, idempotency)

    async def rollback(self, scope: Scope, batch_id: UUID, idempotency: Idempotency | None = None) -> Moved:
        """Take what a batch wrote out of use, at most MOST_ROLLED_BACK memories; `release` takes that back."""
        selection = Selection(batch_id=batch_id)
        return await self._take(scope, MaintenanceKind.ROLLBACK, selection, MOST_ROLLED_BACK, None, idempotency)

    async def release(
        self, scope: Scope, selection: Selection, idempotency: Idempotency | None = None, *, limit: int = MOST_MOVED
    ) -> Moved:
        """Bring back up to `limit` matching memories that are quarantined or rolled back."""
        _check(selection)
        moved = await self._store.release(scope, selection, self._clock.now(), limit, idempotency)
        self._tell(scope, moved, "release")
        return moved

    async def listed(self, scope: Scope, *, after: UUID | None = None, limit: int = PAGE) -> list[QuarantinedMemory]:
        """List what is quarantined or rolled back, newest first."""
        return await self._store.quarantined(scope, after, limit)

    async def batches(self, scope: Scope, *, after: UUID | None = None, limit: int = PAGE) -> list[Batch]:
        """List what calls and imports wrote, newest first. It reads all of the user's rows."""
        return await self._store.batches(scope, after, limit)

    async def _take(
        self,
        scope: Scope,
        kind: MaintenanceKind,
        selection: Selection,
        limit: int,
        reason: str | None,
        idempotency: Idempotency | None,
    ) -> Moved:
        now = self._clock.now()
        action = MaintenanceAction(new_id(now), kind, now)
        moved = await self._store.take(scope, action, selection, limit, reason, idempotency)
        self._tell(scope, moved, kind.value)
        return moved

    def _tell(self, scope: Scope, moved: Moved, kind: str) -> None:
        if not moved.replayed:
            self._residents.heard(scope.digest, moved.version, 0)
            self._changes.note(scope, UserState(moved.version, 0, 0))
            self._ranking_weights.changed(scope)
            self._meter.count("maintenance_actions_total", kind=kind)


def _check(selection: Selection) -> None:
    if selection == Selection():
        raise MissingFieldError("memory_ids, batch_id, key_id or source is required.", field="memory_ids")
    if selection.memory_ids is not None and not 1 <= len(selection.memory_ids) <= MOST_NAMED:
        raise InvalidInputError(f"memory_ids must hold 1 to {MOST_NAMED} ids.", field="memory_ids", limit=MOST_NAMED)
    for name, value in (("key_id", selection.key_id), ("source", selection.source)):
        if value is not None:
            check_name(value, name)
