"""Which users' working sets are in this process, and whether they are current."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pronoia.domain.errors import InvalidInputError
from pronoia.memory.working_set import WorkingSet
from pronoia.ports.snapshots import UserState
from pronoia.resilience.admission import tells_nothing
from pronoia.resilience.deadline import without_deadline

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.ports.memory_store import MemoryStore
    from pronoia.ports.snapshots import Snapshot
    from pronoia.ports.telemetry import Meter

LOADS_AT_ONCE = 3
"""Whole users read side by side. More would take every connection and the event loop from those who are here."""
NEVER_REACHED = 1 << 62
"""A version that keeps a set stale: it was being read while changes may have gone unheard."""


@dataclass(slots=True)
class _Resident:
    working_set: WorkingSet
    known_version: int = 0
    """The highest version this process has heard of; above the set's own, the set is stale."""
    known_activity: int = 0
    nbytes: int = 0
    """As it was when the set last took something over."""

    @property
    def is_stale(self) -> bool:
        return self.known_version > self.working_set.version or self.known_activity > self.working_set.activity


class Residents:
    """Loads working sets once, keeps them current, and lets the coldest go when they take too many bytes."""

    def __init__(
        self, store: MemoryStore, meter: Meter, *, space: str, dimensions: int, budget_bytes: int, resident_limit: int
    ) -> None:
        self._store = store
        self._meter = meter
        self._space = space
        self._dimensions = dimensions
        self._budget_bytes = budget_bytes
        self._resident_limit = resident_limit
        self._residents: OrderedDict[bytes, _Resident] = OrderedDict()
        self.nbytes = 0
        """What all of them hold: kept, because to add it up at each load would cost more than many a load."""
        self._loading: dict[bytes, asyncio.Task[WorkingSet | None]] = {}
        self._heard_while_loading: dict[bytes, _Resident] = {}
        self._places = asyncio.Semaphore(LOADS_AT_ONCE)

    @property
    def users(self) -> int:
        """Count the users who are here."""
        return len(self._residents)

    async def get(self, scope: Scope, minimum_version: int | None = None) -> WorkingSet | None:
        """Give a user's current working set, or None if the user is too large for one.

        Raises InvalidInputError if the store has not reached `minimum_version`.
        """
        digest = scope.digest
        earlier = self._loading.get(digest)
        # A load that began before this call may have missed what the caller wrote since.
        if earlier is not None:
            tells_nothing()
            if await asyncio.shield(earlier) is None:
                return None
        resident = self._residents.get(digest)
        if resident is not None and not resident.is_stale and (minimum_version or 0) <= resident.working_set.version:
            self._residents.move_to_end(digest)
            return resident.working_set
        task = self._loading.get(digest)
        # One that is done may stand there for another turn of the loop; it has not read what was written since.
        if task is None or task.done():
            task = asyncio.create_task(self._load(scope, digest), context=without_deadline())
            self._loading[digest] = task
            task.add_done_callback(partial(self._loaded, digest))
        tells_nothing()
        # The leader runs in its own task: a caller who leaves must not fail those who wait with it.
        working_set = await asyncio.shield(task)
        if working_set is not None and (minimum_version or 0) > working_set.version:
            raise InvalidInputError(
                f"X-Memory-Version {minimum_version} is ahead of the stored version {working_set.version}.",
                field="X-Memory-Version",
                limit=working_set.version,
            )
        return working_set

    def peek(self, scope: Scope) -> WorkingSet | None:
        """Give a user's working set if it is here, current or not."""
        resident = self._residents.get(scope.digest)
        return None if resident is None else resident.working_set

    def apply(self, scope: Scope, snapshot: Snapshot) -> None:
        """Take over what this process just wrote. After a gap the next read fetches what is missing."""
        resident = self._residents.get(scope.digest)
        if resident is None:
            self.heard(scope.digest, snapshot.version, 0)
            return
        if snapshot.version == resident.working_set.version + 1:
            resident.working_set.apply(snapshot)
            self._measure(resident)
        self.heard(scope.digest, snapshot.version, 0)
        if resident.working_set.count > self._resident_limit * 1.1:
            self.forget(scope)

    def used(self, scope: Scope, memory_id: UUID, at: datetime, *, counted: bool) -> None:
        """Take note of a use at once, if the user is here."""
        resident = self._residents.get(scope.digest)
        if resident is not None:
            resident.working_set.record_access(memory_id, at.timestamp(), counted=counted)

    def flushed(self, scope: Scope, activity: int, count: int) -> None:
        """Note that `count` uses of this process are in the log, which has reached `activity`.

        If those of others came between, or the set was loaded in the meantime, the next read fetches what is missing.
        """
        resident = self._residents.get(scope.digest)
        if resident is None:
            return
        held = resident.working_set
        # A load that is under way may have read the counts before these uses were written; they stay pending for it.
        is_loading = scope.digest in self._loading
        if not is_loading and held.activity + count == activity and held.history.confirm(count):
            held.activity = activity
        self.heard(scope.digest, 0, activity)

    def heard(self, digest: bytes, version: int, activity: int) -> None:
        """Note that another process changed a user's memory."""
        for resident in (self._residents.get(digest), self._heard_while_loading.get(digest)):
            if resident is not None:
                resident.known_version = max(resident.known_version, version)
                resident.known_activity = max(resident.known_activity, activity)

    def lost(self) -> None:
        """Drop everything: a change may have gone unheard."""
        self._residents.clear()
        self.nbytes = 0
        for resident in self._heard_while_loading.values():
            resident.known_version = NEVER_REACHED

    def forget(self, scope: Scope) -> None:
        """Drop one user."""
        self.forgotten(scope.digest)

    def forgotten(self, digest: bytes) -> None:
        """Drop a user whom another process forgot."""
        resident = self._residents.pop(digest, None)
        if resident is not None:
            self.nbytes -= resident.nbytes

    async def _load(self, scope: Scope, digest: bytes) -> WorkingSet | None:
        resident = self._residents.get(digest)
        if resident is not None:
            held = resident.working_set
            return await self._read(scope, held, UserState(held.version, held.activity, held.count))
        async with self._places:
            state = await self._store.state(scope)
            if state.memory_count > self._resident_limit:
                return None
            return await self._read(scope, WorkingSet(scope, self._space, self._dimensions), None)

    async def _read(self, scope: Scope, held: WorkingSet, since: UserState | None) -> WorkingSet:
        """Read what is new since a state, or everything, into a set and keep it."""
        digest = scope.digest
        # What was heard before the load is in it, or never was: a notice of a rolled back write must not reload for
        # ever. What is heard while it runs may have come too late for it, and still counts afterwards.
        loaded = _Resident(held)
        self._heard_while_loading[digest] = loaded
        kind, started = "whole" if since is None else "changes", time.perf_counter()
        try:
            held.apply(await self._store.load(scope, self._space, since))
        finally:
            del self._heard_while_loading[digest]
        self._meter.count("working_set_loads_total", kind=kind)
        self._meter.observe("working_set_load_duration_seconds", time.perf_counter() - started, kind=kind)
        self.forgotten(digest)
        self._residents[digest] = loaded
        self._measure(loaded)
        self._make_room()
        return held

    def _loaded(self, digest: bytes, task: asyncio.Task[WorkingSet | None]) -> None:
        if self._loading.get(digest) is task:
            del self._loading[digest]

    def _measure(self, resident: _Resident) -> None:
        before, resident.nbytes = resident.nbytes, resident.working_set.nbytes
        self.nbytes += resident.nbytes - before

    def _make_room(self) -> None:
        while self.nbytes > self._budget_bytes and len(self._residents) > 1:
            self.forgotten(next(iter(self._residents)))
            self._meter.count("working_set_evictions_total")
