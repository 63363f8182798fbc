"""The users of an organisation, and what their roles let them do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.services.drafts import check_name

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.domain.organisations import User
    from pronoia.domain.roles import Role
    from pronoia.ports.organisation_store import UserStore

PAGE = 1_000


class Users:
    """Lists users and sets their roles."""

    def __init__(self, *, store: UserStore) -> None:
        self._store = store

    async def get(self, organisation_id: UUID, user_id: str) -> User:
        """Give somebody who has a memory or a role. Raises NotFoundError."""
        check_name(user_id, "user_id")
        return await self._store.get(organisation_id, user_id)

    async def listed(self, organisation_id: UUID, *, after: str = "", limit: int = PAGE) -> list[User]:
        """List users by name, those that follow `after`."""
        return await self._store.listed(organisation_id, after, limit)

    async def set_role(self, organisation_id: UUID, user_id: str, role: Role | None) -> User:
        """Bound what keys and tokens of a user may do, in every process within keys.CACHE_SECONDS; None bounds nothing.

        The user need not have stored anything yet, and forgetting the user does not lift the bound.
        """
        check_name(user_id, "user_id")
        return await self._store.set_role(organisation_id, user_id, role)

    async def role(self, organisation_id: UUID, user_id: str) -> Role | None:
        """Give the role of somebody who need not have stored anything."""
        return await self._store.role(organisation_id, user_id)
