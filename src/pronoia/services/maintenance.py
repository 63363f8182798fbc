"""Finding what could be mended, doing what was asked for, and undoing it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from pronoia.domain.errors import InvalidInputError, UnavailableError
from pronoia.domain.identifiers import new_id
from pronoia.domain.maintenance import REVERSIBLE_FOR, MaintenanceAction, MaintenanceKind, Restoration
from pronoia.learning.maintenance import UNHELPFUL, SuggestionType, find_maintenance
from pronoia.ports.snapshots import UserState
from pronoia.services.timing import timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor
    from datetime import datetime

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.maintenance import MaintenanceStep
    from pronoia.domain.records import Idempotency
    from pronoia.learning.maintenance import Findings
    from pronoia.memory.excerpts import Excerpts
    from pronoia.memory.residents import Residents
    from pronoia.ports.clock import Clock
    from pronoia.ports.maintenance_store import Maintained, MaintenanceStore
    from pronoia.ports.telemetry import Meter
    from pronoia.services.changes import Changes

MOST_STEPS = 100
MOST_LISTED = 100
PURGE_SECONDS = 3600.0
PURGE_BATCH = 100

log = structlog.get_logger(__name__)


class Maintenance:
    """Nothing is done unless it is asked for, and all of it can be undone for REVERSIBLE_FOR.

    What is merged away or archived is found, listed and predicted no more, and asking for it by its id answers as for a
    deleted memory. Its row, history and counts stay, and it can be deleted for good at any time.
    """

    def __init__(
        self,
        *,
        store: MaintenanceStore,
        residents: Residents,
        excerpts: Excerpts,
        changes: Changes,
        clock: Clock,
        meter: Meter,
        executor: Executor,
    ) -> None:
        self._store = store
        self._residents = residents
        self._excerpts = excerpts
        self._changes = changes
        self._clock = clock
        self._meter = meter
        self._executor = executor

    async def suggestions(
        self, scope: Scope, minimum_version: int | None = None, at: datetime | None = None
    ) -> tuple[Findings, int]:
        """Look, as of a time or now, for what could be mended; and give the version that was looked at.

        It is done beside the event loop. Above the resident limit the memories used last are looked at, the oldest of
        those never used, and those judged unhelpful that were unused longest.
        """
        held = await self._residents.get(scope, minimum_version)
        if held is None:
            held = await self._excerpts.mendable(scope, unhelpful=UNHELPFUL)
        version = held.version
        now = (at or self._clock.now()).timestamp()
        work = partial(find_maintenance, held.frozen(), now)
        with timed(self._meter, self._clock, "maintenance_duration_seconds"):
            return await asyncio.get_running_loop().run_in_executor(self._executor, work), version

    def step(
        self,
        kind: MaintenanceKind,
        *,
        memory_id: UUID | None = None,
        kept_memory_id: UUID | None = None,
        relationship_id: UUID | None = None,
    ) -> MaintenanceAction:
        """Plan an action."""
        if memory_id is not None and memory_id == kept_memory_id:
            raise InvalidInputError("A memory cannot be merged into itself.", field="remove")
        now = self._clock.now()
        return MaintenanceAction(new_id(now), kind, now, memory_id, kept_memory_id, relationship_id)

    def suggested_step(self, suggestion_id: str) -> MaintenanceAction:
        """Plan what a suggestion names. Raises InvalidInputError for what is no suggestion's id."""
        kind, *named = suggestion_id.split(":")
        try:
            match MaintenanceKind(kind), [UUID(one) for one in named]:
                case MaintenanceKind.MERGE, [kept, removed]:
                    return self.step(MaintenanceKind.MERGE, memory_id=removed, kept_memory_id=kept)
                case MaintenanceKind.ARCHIVE, [memory_id]:
                    return self.step(MaintenanceKind.ARCHIVE, memory_id=memory_id)
                case MaintenanceKind.REMOVE_LINK, [relationship_id]:
                    return self.step(MaintenanceKind.REMOVE_LINK, relationship_id=relationship_id)
                case _:
                    pass
        except ValueError:
            pass
        raise InvalidInputError(
            "suggestion_ids must be ids of maintenance suggestions.", field="suggestion_ids", value=suggestion_id[:200]
        )

    async def apply(
        self, scope: Scope, steps: Sequence[MaintenanceStep], idempotency: Idempotency | None = None
    ) -> Maintained:
        """Do all steps or none. Raises NotFoundError for what is not the user's, or not in use."""
        if not 1 <= len(steps) <= MOST_STEPS:
            raise InvalidInputError(f"actions must hold 1 to {MOST_STEPS} entries.", field="actions", limit=MOST_STEPS)
        maintained = await self._store.maintain(scope, steps, self._clock.now(), idempotency)
        if not maintained.replayed:
            self._residents.heard(scope.digest, maintained.version, 0)
            self._changes.note(scope, UserState(maintained.version, 0, 0))
            for step in steps:
                kind = step.kind.value if isinstance(step, MaintenanceAction) else "undo"
                self._meter.count("maintenance_actions_total", kind=kind)
        return maintained

    async def mend(self, scope: Scope) -> int:
        """Merge what are surely duplicates, as an operator may have the schedule do; say how many. Undoable as ever."""
        findings, _ = await self.suggestions(scope)
        merges = [self.suggested_step(one.id) for one in findings.duplicates if one.type is SuggestionType.MERGE]
        if merges:
            await self.apply(scope, merges)
        return len(merges)

    async def undo(self, scope: Scope, action_id: UUID, idempotency: Idempotency | None = None) -> Maintained:
        """Bring back what an action took out of use. Raises NotFoundError."""
        return await self.apply(scope, [Restoration(action_id=action_id)], idempotency)

    async def actions(self, scope: Scope, limit: int = MOST_LISTED) -> list[MaintenanceAction]:
        """List what was done in the last REVERSIBLE_FOR, newest first."""
        return await self._store.actions(scope, limit)

    async def purge(self) -> int:
        """Delete what was taken out of use longer than REVERSIBLE_FOR ago, of all users; say how many actions."""
        now = self._clock.now()
        purged = 0
        while True:
            count = await self._store.purge_actions(now - REVERSIBLE_FOR, now, PURGE_BATCH)
            purged += count
            if count < PURGE_BATCH:
                return purged

    async def run(self) -> None:
        """Purge until cancelled."""
        while True:
            try:
                await self.purge()
            except UnavailableError as error:
                log.warning("maintenance.waiting", reason=error.message)
            await asyncio.sleep(PURGE_SECONDS)
