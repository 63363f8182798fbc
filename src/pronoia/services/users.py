"""The users of an organisation, what their roles let them do, and whether their tokens are still believed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pronoia.domain.identifiers import Scope
from pronoia.resilience.cache import ExpiringStore, SingleFlight
from pronoia.services.drafts import check_name
from pronoia.services.keys import CACHE_SECONDS

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from pronoia.domain.organisations import Standing, User
    from pronoia.domain.records import Idempotency
    from pronoia.domain.roles import Role
    from pronoia.ports.clock import Clock
    from pronoia.ports.organisation_store import UserStore

PAGE = 1_000
CACHE_SIZE = 10_000
CACHED_BYTES = 800
"""What a standing takes in memory, with room."""


class Users:
    """Lists users, sets their roles and revokes their tokens."""

    def __init__(self, *, store: UserStore, clock: Clock, token_leeway: timedelta) -> None:
        """`token_leeway` is how far the clock of an identity provider may be ahead."""
        self._store = store
        self._clock = clock
        self._token_leeway = token_leeway
        self._standings: ExpiringStore[Scope, Standing] = ExpiringStore(
            maximum_keys=CACHE_SIZE, maximum_bytes=CACHE_SIZE * CACHED_BYTES, now=clock.monotonic
        )
        self._finding: SingleFlight[Scope, Standing] = SingleFlight(timeout_seconds=CACHE_SECONDS)

    async def get(self, organisation_id: UUID, user_id: str) -> User:
        """Give somebody who has a memory or a role. Raises NotFoundError."""
        check_name(user_id, "user_id")
        return await self._store.get(organisation_id, user_id)

    async def listed(self, organisation_id: UUID, *, after: str = "", limit: int = PAGE) -> list[User]:
        """List users by name, those that follow `after`."""
        return await self._store.listed(organisation_id, after, limit)

    async def set_role(
        self, organisation_id: UUID, user_id: str, role: Role | None, idempotency: Idempotency | None = None
    ) -> User:
        """Bound what keys and tokens of a user may do, in every process within CACHE_SECONDS; None bounds nothing.

        The user need not have stored anything yet, and forgetting the user does not lift the bound.
        """
        check_name(user_id, "user_id")
        user = await self._store.set_role(organisation_id, user_id, role, idempotency)
        self._standings.drop_group(Scope(organisation_id, user_id))
        return user

    async def revoke_tokens(self, organisation_id: UUID, user_id: str, idempotency: Idempotency | None = None) -> User:
        """Refuse the tokens that a user holds now, in every process within CACHE_SECONDS.

        A provider whose clock is ahead may have dated them later than now, so whatever it issues within the leeway is
        refused as well.
        """
        check_name(user_id, "user_id")
        not_before = self._clock.now() + self._token_leeway
        user = await self._store.revoke_tokens(organisation_id, user_id, not_before, idempotency)
        self._standings.drop_group(Scope(organisation_id, user_id))
        return user

    async def standing(self, scope: Scope) -> Standing:
        """Give what bounds somebody who need not have stored anything, at most CACHE_SECONDS old."""
        return self._standings.get(scope) or await self._finding.run(scope, partial(self._read_standing, scope))

    async def _read_standing(self, scope: Scope) -> Standing:
        until = self._clock.monotonic() + CACHE_SECONDS
        standing = await self._store.standing(scope.organisation_id, scope.user_id)
        self._standings.put(scope, standing, size=CACHED_BYTES, expires_at=until, group=scope)
        return standing
