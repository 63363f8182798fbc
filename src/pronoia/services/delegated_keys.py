"""Keys that a caller hands out: of the same organisation, and never with more rights than the caller has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.errors import ForbiddenError
from pronoia.domain.permissions import granted
from pronoia.domain.records import Plan

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta

    from pronoia.domain.principals import Principal
    from pronoia.domain.records import ApiKey, Idempotency, Permission
    from pronoia.domain.trust import Trust
    from pronoia.services.keys import Keys

_RANK = {plan: rank for rank, plan in enumerate(Plan)}


class DelegatedKeys:
    """Does with keys what `maker` may do. Raises ForbiddenError for what the maker could not do without them."""

    def __init__(self, *, keys: Keys) -> None:
        self._keys = keys

    async def create(
        self,
        maker: Principal,
        *,
        user_id: str | None,
        permissions: Collection[Permission],
        plan: Plan,
        expires_at: datetime | None,
        trust: Trust | None = None,
        idempotency: Idempotency | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key in the maker's organisation; of the maker's trust unless another is wanted."""
        trust = trust or maker.trust
        _check_rights(maker, permissions, plan, trust)
        return await self._keys.create(
            user_id=user_id,
            plan=plan,
            permissions=permissions,
            organisation_id=maker.organisation_id,
            expires_at=expires_at,
            trust=trust,
            idempotency=idempotency,
        )

    async def get(self, maker: Principal, key_id: str) -> ApiKey:
        """Give a key of the maker's organisation. Raises NotFoundError."""
        return await self._keys.get(maker.organisation_id, key_id)

    async def listed(self, maker: Principal, *, after: str | None, limit: int) -> list[ApiKey]:
        """List keys of the maker's organisation, oldest first."""
        return await self._keys.listed(maker.organisation_id, after=after, limit=limit)

    async def rotate(
        self,
        maker: Principal,
        key_id: str,
        *,
        overlap: timedelta,
        replace_new: bool,
        expires_at: datetime | None,
        idempotency: Idempotency | None = None,
    ) -> tuple[ApiKey, str]:
        """Give a key a new secret, which the maker gets to know: so it must not be worth more than the maker's own."""
        key = await self.get(maker, key_id)
        _check_rights(maker, key.permissions, key.plan, key.trust)
        return await self._keys.rotate(
            maker.organisation_id,
            key_id,
            overlap=overlap,
            replace_new=replace_new,
            expires_at=expires_at,
            idempotency=idempotency,
        )

    async def revoke(self, maker: Principal, key_id: str, idempotency: Idempotency | None = None) -> ApiKey:
        """Revoke a key of the maker's organisation, the maker's own included. Raises NotFoundError."""
        return await self._keys.revoke(maker.organisation_id, key_id, idempotency)


def _check_rights(maker: Principal, permissions: Collection[Permission], plan: Plan, trust: Trust) -> None:
    missing = sorted(granted(permissions) - granted(maker.permissions))
    if missing:
        raise ForbiddenError(f"You lack the scope {', '.join(missing)}.", permission=missing[0])
    if _RANK[plan] > _RANK[maker.plan]:
        raise ForbiddenError(f"You are of the plan {maker.plan.value}, below {plan.value}.", plan=plan.value)
    if trust.rank > maker.trust.rank:
        raise ForbiddenError(f"What you write is {maker.trust.value}, and so is what your keys write.", field="trust")
