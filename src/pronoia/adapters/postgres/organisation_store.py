"""What an organisation is and consists of, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.audit_store import record
from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.outcomes import done_before
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.audit import AuditAction
from pronoia.domain.errors import AlreadyExistsError, NotFoundError
from pronoia.domain.organisations import Organisation, Project, Standing, User
from pronoia.domain.roles import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from pronoia.adapters.postgres.driver import Row
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.records import Idempotency


class PostgresOrganisationStore:
    """Keeps organisations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, organisation: Organisation) -> None:
        """Store a new organisation."""
        async with self._database.writing(organisation.id) as connection:
            await connection.execute(
                QUERIES["name_organisation"], organisation.id, organisation.name, organisation.created_at
            )
            await record(connection, organisation.id, AuditAction.ORGANISATION_CREATED)

    async def get(self, organisation_id: UUID) -> Organisation:
        """Give an organisation. Raises NotFoundError."""
        async with self._database.reading(organisation_id) as connection:
            return _organisation(await connection.fetchrow(QUERIES["get_organisation"], organisation_id))

    async def rename(self, organisation_id: UUID, name: str, idempotency: Idempotency | None = None) -> Organisation:
        """Give an organisation another name. Raises NotFoundError."""
        async with self._database.writing(organisation_id) as connection:
            if await done_before(connection, organisation_id, idempotency) is None:
                await connection.execute(QUERIES["rename_organisation"], organisation_id, name)
                await record(connection, organisation_id, AuditAction.ORGANISATION_RENAMED)
            return _organisation(await connection.fetchrow(QUERIES["get_organisation"], organisation_id))

    async def every(self) -> list[Organisation]:
        """Give all organisations, oldest first."""
        async with self._database.writing(None) as connection:
            return [_organisation(row) for row in await connection.fetch(QUERIES["list_organisations"])]


class PostgresProjectStore:
    """Keeps declared projects, each in its organisation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, organisation_id: UUID, project: Project, idempotency: Idempotency | None = None) -> Project:
        """Store a project. Raises AlreadyExistsError if there is one by its name, which stays as it is."""
        async with self._database.writing(organisation_id) as connection:
            if await done_before(connection, organisation_id, idempotency) is not None:
                return _project(await connection.fetchrow(QUERIES["get_project"], organisation_id, project.id))
            row = await connection.fetchrow(
                QUERIES["create_project"], organisation_id, project.id, project.retention_days, project.created_at
            )
            if row is None:
                # In the transaction: what was refused has not used up its idempotency key.
                raise AlreadyExistsError("A project of this name is declared already.", field="project_id")
            await record(connection, organisation_id, AuditAction.PROJECT_CREATED, project_id=project.id)
            return _project(row)

    async def get(self, organisation_id: UUID, project_id: str) -> Project:
        """Give a declared project. Raises NotFoundError."""
        async with self._database.reading(organisation_id) as connection:
            return _project(await connection.fetchrow(QUERIES["get_project"], organisation_id, project_id))

    async def listed(self, organisation_id: UUID, after: str, limit: int, *, archived: bool) -> list[Project]:
        """Give declared projects by name; archived ones only if asked to."""
        async with self._database.reading(organisation_id) as connection:
            rows = await connection.fetch(QUERIES["list_projects"], organisation_id, archived, after, limit)
        return [_project(row) for row in rows]

    async def change(
        self,
        organisation_id: UUID,
        project_id: str,
        change: Callable[[Project], Project],
        idempotency: Idempotency | None = None,
    ) -> Project:
        """Lock a project, store what `change` makes of it, and give that. Raises NotFoundError."""
        async with self._database.writing(organisation_id) as connection:
            again = await done_before(connection, organisation_id, idempotency) is not None
            before = _project(await connection.fetchrow(QUERIES["lock_project"], organisation_id, project_id))
            if again:
                return before
            project = change(before)
            await connection.execute(
                QUERIES["change_project"], organisation_id, project_id, project.retention_days, project.archived_at
            )
            await record(connection, organisation_id, AuditAction.PROJECT_CHANGED, project_id=project_id)
        return project


class PostgresUserStore:
    """Tells who has a memory, and keeps roles."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, organisation_id: UUID, user_id: str) -> User:
        """Give a user. Raises NotFoundError."""
        async with self._database.reading(organisation_id) as connection:
            return _user(await connection.fetchrow(QUERIES["get_user"], organisation_id, user_id))

    async def listed(self, organisation_id: UUID, after: str, limit: int) -> list[User]:
        """Give users by name."""
        async with self._database.reading(organisation_id) as connection:
            return [_user(row) for row in await connection.fetch(QUERIES["list_users"], organisation_id, after, limit)]

    async def set_role(
        self, organisation_id: UUID, user_id: str, role: Role | None, idempotency: Idempotency | None = None
    ) -> User:
        """Give a user a role, or take it away. Somebody new is listed from then on."""
        async with self._database.writing(organisation_id) as connection:
            if await done_before(connection, organisation_id, idempotency) is None:
                await connection.execute(QUERIES["ensure_user"], organisation_id, user_id)
                if role is None:
                    await connection.execute(QUERIES["clear_user_role"], organisation_id, user_id)
                else:
                    await connection.execute(QUERIES["set_user_role"], organisation_id, user_id, role.value)
                await record(connection, organisation_id, AuditAction.ROLE_CHANGED, user_id=user_id, role=role)
            return _user(await connection.fetchrow(QUERIES["get_user"], organisation_id, user_id))

    async def revoke_tokens(
        self, organisation_id: UUID, user_id: str, not_before: datetime, idempotency: Idempotency | None = None
    ) -> User:
        """Refuse tokens of a user that were issued until then. Somebody new is listed from then on."""
        async with self._database.writing(organisation_id) as connection:
            if await done_before(connection, organisation_id, idempotency) is None:
                await connection.execute(QUERIES["ensure_user"], organisation_id, user_id)
                await connection.execute(QUERIES["revoke_tokens"], organisation_id, user_id, not_before)
                await record(connection, organisation_id, AuditAction.TOKENS_REVOKED, user_id=user_id)
            return _user(await connection.fetchrow(QUERIES["get_user"], organisation_id, user_id))

    async def standing(self, organisation_id: UUID, user_id: str) -> Standing:
        """Give what bounds somebody who need not have stored anything."""
        async with self._database.reading(organisation_id) as connection:
            row = await fetch_one(connection, QUERIES["get_standing"], organisation_id, user_id)
        return Standing(_role(row["role"]), row["not_before"])


def _organisation(row: Row | None) -> Organisation:
    if row is None:
        raise NotFoundError("There is no such organisation.")
    return Organisation(row["organisation_id"], row["name"], row["created_at"])


def _project(row: Row | None) -> Project:
    if row is None:
        raise NotFoundError("Nobody declared a project of this name.")
    return Project(row["project_id"], row["retention_days"], row["created_at"], row["archived_at"])


def _user(row: Row | None) -> User:
    if row is None:
        raise NotFoundError("There is no such user.")
    return User(
        id=row["user_id"],
        role=_role(row["role"]),
        memory_count=row["memory_count"],
        memory_version=row["memory_version"],
        created_at=row["created_at"],
        tokens_not_before=row["not_before"],
    )


def _role(name: str | None) -> Role | None:
    return None if name is None else Role(name)
