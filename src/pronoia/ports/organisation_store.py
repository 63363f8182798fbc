"""Organisations, their projects and the roles of their users.

A write with an idempotency key is done once; whoever repeats it is given what it is about as that is now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.organisations import Organisation, Project, Standing, User
    from pronoia.domain.records import Idempotency
    from pronoia.domain.roles import Role


class OrganisationStore(Protocol):
    async def create(self, organisation: Organisation) -> None: ...

    async def get(self, organisation_id: UUID) -> Organisation:
        """Raise NotFoundError for an unknown organisation; so does renaming."""
        ...

    async def rename(
        self, organisation_id: UUID, name: str, idempotency: Idempotency | None = None
    ) -> Organisation: ...

    async def every(self) -> list[Organisation]: ...


class ProjectStore(Protocol):
    async def create(self, organisation_id: UUID, project: Project, idempotency: Idempotency | None = None) -> Project:
        """Raise AlreadyExistsError if there is a project of this name, which stays as it is."""
        ...

    async def get(self, organisation_id: UUID, project_id: str) -> Project:
        """Raise NotFoundError for a project that nobody declared; so does changing."""
        ...

    async def listed(self, organisation_id: UUID, after: str, limit: int, *, archived: bool) -> list[Project]: ...

    async def change(
        self,
        organisation_id: UUID,
        project_id: str,
        change: Callable[[Project], Project],
        idempotency: Idempotency | None = None,
    ) -> Project:
        """Lock a project, store what `change` makes of it, and give that."""
        ...


class UserStore(Protocol):
    async def get(self, organisation_id: UUID, user_id: str) -> User:
        """Raise NotFoundError for somebody who has neither stored anything nor been given a role."""
        ...

    async def listed(self, organisation_id: UUID, after: str, limit: int) -> list[User]: ...

    async def set_role(
        self, organisation_id: UUID, user_id: str, role: Role | None, idempotency: Idempotency | None = None
    ) -> User: ...

    async def revoke_tokens(
        self, organisation_id: UUID, user_id: str, not_before: datetime, idempotency: Idempotency | None = None
    ) -> User:
        """Refuse what was issued until then; a later time that was set before stands."""
        ...

    async def standing(self, organisation_id: UUID, user_id: str) -> Standing:
        """Give what bounds somebody who need not have stored anything."""
        ...
