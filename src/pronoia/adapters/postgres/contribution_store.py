"""ContributionStore on PostgreSQL."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.queries import QUERIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope


class PostgresContributionStore:
    """Keeps a row a user, and adds them up where they are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def total(self, organisation_id: UUID, layout: str) -> list[float]:
        """Add up the contributions of an organisation's users; empty if there are none."""
        async with self._database.reading(organisation_id) as connection:
            return await connection.fetchval(QUERIES["organisation_contribution"], organisation_id, layout)

    async def of_user(self, scope: Scope, layout: str) -> list[float]:
        """Give the contribution of one user; empty if there is none."""
        async with self._database.reading(scope.organisation_id) as connection:
            found = await connection.fetchval(
                QUERIES["user_contribution"], scope.organisation_id, scope.user_id, layout
            )
        return found or []

    async def add(self, layout: str, additions: Mapping[Scope, Sequence[float]]) -> None:
        """Add to the contributions of many users in one statement; all additions have the same length."""
        if not additions:
            return
        width = len(next(iter(additions.values())))
        async with self._database.writing(None) as connection:
            await connection.execute(
                QUERIES["add_contributions"],
                [scope.organisation_id for scope in additions],
                [scope.user_id for scope in additions],
                layout,
                width,
                list(chain.from_iterable(additions.values())),
            )
