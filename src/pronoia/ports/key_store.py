"""API keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.records import ApiKey, Idempotency
    from pronoia.domain.roles import Role


@dataclass(frozen=True, slots=True)
class FoundKey:
    key: ApiKey
    user_role: Role | None
    """Of the user the key is bound to; None without a user or a role."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    organisation_id: UUID
    key_id: str
    at: datetime


class KeyStore(Protocol):
    async def find(self, key_id: str) -> FoundKey | None:
        """Find a key before its organisation is known."""
        ...

    async def create(self, key: ApiKey, idempotency: Idempotency | None = None) -> str | None:
        """Store a key; or, if the same request made one before, store none and give its id."""
        ...

    async def get(self, organisation_id: UUID, key_id: str) -> ApiKey:
        """Raise NotFoundError for an unknown key."""
        ...

    async def listed(self, organisation_id: UUID, after: str | None, limit: int) -> list[ApiKey]: ...

    async def change(
        self,
        organisation_id: UUID,
        key_id: str,
        change: Callable[[ApiKey], ApiKey],
        idempotency: Idempotency | None = None,
    ) -> ApiKey:
        """Lock a key, store what `change` makes of it, and give that. Raises NotFoundError, and what `change` raises.

        Only secrets and times can change. If the same request was served before, nothing is changed.
        """
        ...

    async def record_uses(self, uses: Sequence[KeyUse]) -> None:
        """Note uses of keys of any organisations, each no more than once a minute."""
        ...
