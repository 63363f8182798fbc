"""Organisations that the operator names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.queries import QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from pronoia.adapters.postgres.transactions import Database


async def ensure_organisations(database: Database, organisations: Iterable[UUID]) -> None:
    """Make those that are missing. It takes a transaction each: none may write another's row."""
    for organisation_id in sorted(set(organisations)):
        async with database.writing(organisation_id) as connection:
            await connection.execute(QUERIES["create_organisation"], organisation_id)
