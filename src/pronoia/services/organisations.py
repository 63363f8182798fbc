"""Organisations: each sees and names itself; making and listing them is for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.identifiers import new_id
from pronoia.domain.organisations import Organisation
from pronoia.services.drafts import check_name

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.domain.records import Idempotency
    from pronoia.ports.clock import Clock
    from pronoia.ports.organisation_store import OrganisationStore


class Organisations:
    """Makes, shows and names organisations."""

    def __init__(self, *, store: OrganisationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, name: str) -> Organisation:
        """Make an organisation. Names need not differ: the id tells them apart."""
        check_name(name, "name")
        now = self._clock.now()
        organisation = Organisation(new_id(now), name, now)
        await self._store.create(organisation)
        return organisation

    async def get(self, organisation_id: UUID) -> Organisation:
        """Give an organisation. Raises NotFoundError."""
        return await self._store.get(organisation_id)

    async def rename(self, organisation_id: UUID, name: str, idempotency: Idempotency | None = None) -> Organisation:
        """Give an organisation another name. Raises NotFoundError."""
        check_name(name, "name")
        return await self._store.rename(organisation_id, name, idempotency)

    async def every(self) -> list[Organisation]:
        """Give all organisations, oldest first."""
        return await self._store.every()
