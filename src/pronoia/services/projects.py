"""Declared projects. Memories may name any project; one that is declared can have a retention."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pronoia.domain.errors import InvalidInputError
from pronoia.domain.organisations import Project
from pronoia.services.drafts import check_name

if TYPE_CHECKING:
    from datetime import datetime
    from types import EllipsisType
    from uuid import UUID

    from pronoia.domain.records import Idempotency
    from pronoia.ports.clock import Clock
    from pronoia.ports.organisation_store import ProjectStore

LONGEST_RETENTION_DAYS = 36_500
PAGE = 1_000


class Projects:
    """Declares, lists, changes and archives projects."""

    def __init__(self, *, store: ProjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(
        self,
        organisation_id: UUID,
        project_id: str,
        retention_days: int | None = None,
        idempotency: Idempotency | None = None,
    ) -> Project:
        """Declare a project. Raises AlreadyExistsError."""
        check_name(project_id, "project_id")
        check_retention(retention_days)
        project = Project(project_id, retention_days, self._clock.now())
        return await self._store.create(organisation_id, project, idempotency)

    async def get(self, organisation_id: UUID, project_id: str) -> Project:
        """Give a declared project. Raises NotFoundError."""
        return await self._store.get(organisation_id, project_id)

    async def listed(
        self, organisation_id: UUID, *, after: str = "", limit: int = PAGE, archived: bool = False
    ) -> list[Project]:
        """List declared projects by name, those that follow `after`; archived ones only if asked to."""
        return await self._store.listed(organisation_id, after, limit, archived=archived)

    async def change(
        self,
        organisation_id: UUID,
        project_id: str,
        *,
        retention_days: int | EllipsisType | None = ...,
        archived: bool | None = None,
        idempotency: Idempotency | None = None,
    ) -> Project:
        """Change how long a project's memories are kept (None for good), and whether it is listed; else keep both.

        The first time it was archived stands. Raises NotFoundError.
        """
        if retention_days is not ...:
            check_retention(retention_days)
        changed = partial(_changed, retention_days, archived, self._clock.now())
        return await self._store.change(organisation_id, project_id, changed, idempotency)


def _changed(
    retention_days: int | EllipsisType | None, archived: bool | None, now: datetime, project: Project
) -> Project:
    if retention_days is not ...:
        project = replace(project, retention_days=retention_days)
    if archived is not None:
        project = replace(project, archived_at=(project.archived_at or now) if archived else None)
    return project


def check_retention(days: int | None) -> None:
    """Refuse what is no number of days."""
    if days is not None and not 1 <= days <= LONGEST_RETENTION_DAYS:
        raise InvalidInputError(
            f"retention_days must lie between 1 and {LONGEST_RETENTION_DAYS}.",
            field="retention_days",
            limit=LONGEST_RETENTION_DAYS,
        )
