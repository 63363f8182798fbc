"""What was done and refused: telling the audit log, and asking it."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.audit import (
    NO_ORGANISATION,
    AuditAction,
    AuditOutcome,
    Category,
    category_of,
    current_actor,
)
from pronoia.domain.errors import UnavailableError
from pronoia.ports.audit import NewAuditRow
from pronoia.services.audit.refusals import Kind, Refusals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta
    from uuid import UUID

    from pronoia.domain.audit import Actor, AuditRow
    from pronoia.domain.records import Idempotency
    from pronoia.ports.audit import AuditFilters, AuditStore
    from pronoia.ports.clock import Clock

FLUSH_SECONDS = 1.0
MAXIMUM_UNWRITTEN = 5_000
"""Rows about refusals that wait for a database that is away; then the oldest go."""
MAXIMUM_COUNTED = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """`total` counts what matches, up to MAXIMUM_COUNTED. `next_before` is None at the end."""

    rows: Sequence[AuditRow]
    total: int
    next_before: int | None


@dataclass(frozen=True, slots=True)
class AuditStatistics:
    """What happened in a period. Refusals that one row counts together are counted each."""

    total: int
    refused: int
    by_category: Mapping[Category, int]


class Audit:
    """Writes to a user's memory are told by the store, in their own transaction; all else through here."""

    def __init__(self, *, store: AuditStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._refusals = Refusals(clock)
        self._unwritten: deque[NewAuditRow] = deque(maxlen=MAXIMUM_UNWRITTEN)

    async def record(
        self,
        organisation_id: UUID | None,
        action: AuditAction,
        *,
        user_id: str | None = None,
        idempotency: Idempotency | None = None,
        **details: object,
    ) -> None:
        """Tell of an administrative act, in the name of who acts; without an organisation, of the instance.

        Raises StoreUnavailableError: what cannot be told must not be done.
        """
        row = NewAuditRow(
            organisation_id or NO_ORGANISATION, action, AuditOutcome.SUCCEEDED, current_actor(), details, user_id
        )
        await self._store.record([row], idempotency)

    def refused(self, organisation_id: UUID | None, action: AuditAction, *, actor: Actor, code: str) -> None:
        """Count a refused request, to be told within a second, or with others like it at the end of the minute.

        The actor has a route and no request id, or no two refusals would be alike.
        """
        self._refusals.add(Kind(organisation_id or NO_ORGANISATION, action, actor, code))

    async def run(self) -> None:
        """Tell of refusals until cancelled."""
        while True:
            await self.flush()
            await asyncio.sleep(FLUSH_SECONDS)

    async def close(self) -> None:
        """Tell of all refusals."""
        await self.flush(everything=True)

    async def flush(self, *, everything: bool = False) -> None:
        """Tell of the refusals that are due, or of all. While the database is away they wait."""
        self._unwritten.extend(self._refusals.take(everything=everything))
        if not self._unwritten:
            return
        rows = list(self._unwritten)
        try:
            await self._store.record(rows)
        except UnavailableError as error:
            log.warning("audit.waiting", reason=error.message)
        else:
            for _ in rows:
                self._unwritten.popleft()

    async def page(
        self, organisation_id: UUID, filters: AuditFilters, *, before: int | None, offset: int, limit: int
    ) -> AuditPage:
        """List rows, newest first."""
        rows = await self._store.rows(organisation_id, filters, before=before, offset=offset, limit=limit + 1)
        total = await self._store.count(organisation_id, filters, MAXIMUM_COUNTED)
        return AuditPage(rows[:limit], total, rows[limit - 1].number if len(rows) > limit else None)

    async def statistics(self, organisation_id: UUID, period: timedelta) -> AuditStatistics:
        """Count what happened in a period up to now."""
        counts = await self._store.counts(organisation_id, self._clock.now() - period)
        by_category = dict.fromkeys(Category, 0)
        for one in counts:
            by_category[category_of(one.action)] += one.times
        refused = sum(one.times for one in counts if one.outcome == AuditOutcome.REFUSED)
        return AuditStatistics(sum(by_category.values()), refused, by_category)
