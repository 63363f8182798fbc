"""What the server does by the clock: one process at a time, for users who were active."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from pronoia.domain.errors import PronoiaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from pronoia.domain.identifiers import Scope
    from pronoia.ports.insight_store import InsightStore, ScheduleStore
    from pronoia.services.features import Feature

LOOK_SECONDS = 60.0
LEASE_SECONDS = 600.0
USERS_OF_A_PASS = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something done for each active user, every so many seconds."""

    name: str
    pause_seconds: float
    work: Callable[[Scope], Awaitable[object]]
    feature: Feature
    """While the server does without it, the job waits."""


class Schedule:
    """Takes due jobs until cancelled. `now` None leaves the time to the database, whose clock all processes share."""

    def __init__(
        self,
        *,
        store: ScheduleStore,
        insights: InsightStore,
        jobs: Sequence[Job],
        clock: Callable[[], datetime],
        is_off: Callable[[Feature], bool],
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._store = store
        self._insights = insights
        self._jobs = jobs
        self._clock = clock
        self._is_off = is_off
        self._now = now
        self._holder = uuid4()

    async def run(self) -> None:
        """Look for due jobs until cancelled."""
        while True:
            try:
                busy = await self.run_once()
            except PronoiaError as error:
                log.warning("schedule.waiting", reason=error.message)
                busy = False
            if not busy:
                await asyncio.sleep(LOOK_SECONDS)

    async def run_once(self) -> bool:
        """Do each job for one organisation whose turn it is, and say whether there was any."""
        done = [await self._do(job) for job in self._jobs if not self._is_off(job.feature)]
        return any(done)

    async def _do(self, job: Job) -> bool:
        organisation = await self._store.claim(job.name, self._holder, LEASE_SECONDS, self._time())
        if organisation is None:
            return False
        for scope in await self._store.active_users(organisation, job.name, USERS_OF_A_PASS):
            try:
                await job.work(scope)
            except PronoiaError as error:
                log.warning("schedule.skipped", job=job.name, reason=error.message)
            if job.name != "patterns":  # the analysis notes its own runs, those asked for included
                await self._insights.note_run(scope, job.name, self._clock(), 0)
        await self._store.finish(organisation, job.name, self._holder, job.pause_seconds, self._time())
        return True

    def _time(self) -> datetime | None:
        return None if self._now is None else self._now()
