"""The users of an organisation, and what their roles let them do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pronoia.domain.identifiers import Scope
from pronoia.resilience.cache import ExpiringStore, SingleFlight
from pronoia.services.drafts import check_name
from pronoia.services.keys import CACHE_SECONDS

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.domain.organisations import User
    from pronoia.domain.roles import Role
    from pronoia.ports.clock import Clock
    from pronoia.ports.organisation_store import UserStore

PAGE = 1_000
CACHE_SIZE = 10_000
CACHED_BYTES = 800
"""What a role takes in memory, with room."""


class Users:
    """Lists users and sets their roles."""

    def __init__(self, *, store: UserStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._roles: ExpiringStore[Scope, tuple[Role | None]] = ExpiringStore(
            maximum_keys=CACHE_SIZE, maximum_bytes=CACHE_SIZE * CACHED_BYTES, now=clock.monotonic
        )
        self._finding: SingleFlight[Scope, Role | None] = SingleFlight(timeout_seconds=CACHE_SECONDS)

    async def get(self, organisation_id: UUID, user_id: str) -> User:
        """Give somebody who has a memory or a role. Raises NotFoundError."""
        check_name(user_id, "user_id")
        return await self._store.get(organisation_id, user_id)

    async def listed(self, organisation_id: UUID, *, after: str = "", limit: int = PAGE) -> list[User]:
        """List users by name, those that follow `after`."""
        return await self._store.listed(organisation_id, after, limit)

    async def set_role(self, organisation_id: UUID, user_id: str, role: Role | None) -> User:
        """Bound what keys and tokens of a user may do, in every process within CACHE_SECONDS; None bounds nothing.

        The user need not have stored anything yet, and forgetting the user does not lift the bound.
        """
        check_name(user_id, "user_id")
        user = await self._store.set_role(organisation_id, user_id, role)
        self._roles.drop_group(Scope(organisation_id, user_id))
        return user

    async def role(self, scope: Scope) -> Role | None:
        """Give the role of somebody who need not have stored anything, at most CACHE_SECONDS old."""
        held = self._roles.get(scope)
        return await self._finding.run(scope, partial(self._read_role, scope)) if held is None else held[0]

    async def _read_role(self, scope: Scope) -> Role | None:
        until = self._clock.monotonic() + CACHE_SECONDS
        role = await self._store.role(scope.organisation_id, scope.user_id)
        self._roles.put(scope, (role,), size=CACHED_BYTES, expires_at=until, group=scope)
        return role
