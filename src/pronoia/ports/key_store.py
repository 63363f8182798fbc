"""API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.records import ApiKey


class KeyStore(Protocol):
    async def find(self, key_id: str) -> ApiKey | None: ...

    async def create(self, key: ApiKey) -> None: ...

    async def listed(self, organisation_id: UUID) -> list[ApiKey]: ...

    async def revoke(self, organisation_id: UUID, key_id: str, at: datetime) -> ApiKey:
        """Raise NotFoundError for an unknown key; revoking twice keeps the first time."""
        ...
