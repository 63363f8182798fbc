"""Refused requests, told to the audit log by the minute: whoever is refused a thousand times fills one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.domain.audit import NO_ORGANISATION, Actor, AuditAction, AuditOutcome
from pronoia.ports.audit import NewAuditRow

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.ports.clock import Clock

WINDOW_SECONDS = 60.0
MAXIMUM_KINDS = 50
"""Kinds that are told apart in a minute, of one organisation; more are counted together."""
MAXIMUM_ORGANISATIONS = 1_000
SEVERAL = Actor("several")


@dataclass(frozen=True, slots=True)
class Kind:
    """Refusals that are counted together."""

    organisation_id: UUID
    action: AuditAction
    actor: Actor
    code: str


@dataclass(slots=True)
class _Count:
    times: int
    first_at: datetime
    last_at: datetime


class Refusals:
    """Counts refusals until they are taken. The first of a kind in a minute can be taken at once, the rest at its end.

    So a minute makes at most two rows of each kind, in each process.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[Kind, _Count] = {}
        self._seen: dict[UUID, set[Kind]] = {}
        self._told: set[Kind] = set()
        self._ends_at = clock.monotonic() + WINDOW_SECONDS

    def add(self, kind: Kind) -> None:
        """Count a refusal."""
        kind = self._bounded(kind)
        now = self._clock.now()
        count = self._counts.get(kind)
        if count is None:
            self._counts[kind] = _Count(1, now, now)
        else:
            count.times += 1
            count.last_at = now

    def take(self, *, everything: bool = False) -> list[NewAuditRow]:
        """Give what is due now, or everything, and forget it."""
        if self._clock.monotonic() >= self._ends_at:
            everything = True
            self._ends_at = self._clock.monotonic() + WINDOW_SECONDS
            self._seen.clear()
            self._told.clear()
        due = [kind for kind in self._counts if everything or kind not in self._told]
        rows = [_row(kind, self._counts.pop(kind)) for kind in due]
        if not everything:
            self._told.update(due)
        return sorted(rows, key=lambda row: row.organisation_id)

    def _bounded(self, kind: Kind) -> Kind:
        if kind in self._counts or kind in self._told:
            return kind
        organisation = kind.organisation_id
        if organisation not in self._seen and len(self._seen) >= MAXIMUM_ORGANISATIONS:
            organisation = NO_ORGANISATION
        seen = self._seen.setdefault(organisation, set())
        if organisation != kind.organisation_id or (kind not in seen and len(seen) >= MAXIMUM_KINDS):
            kind = Kind(organisation, kind.action, SEVERAL, kind.code)
        seen.add(kind)
        return kind


def _row(kind: Kind, count: _Count) -> NewAuditRow:
    details = {"code": kind.code, "times": count.times, "first_at": count.first_at, "last_at": count.last_at}
    return NewAuditRow(kind.organisation_id, kind.action, AuditOutcome.REFUSED, kind.actor, details)
