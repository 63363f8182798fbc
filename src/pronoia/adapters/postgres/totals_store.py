from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.ports.monitoring import Totals
from pronoia.ports.work_queue import WorkKind

if TYPE_CHECKING:
    from pronoia.adapters.postgres.transactions import Database


class PostgresTotalsStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def totals(self) -> Totals:
        """Count what is stored of all tenants together."""
        async with self._database.writing(None) as connection:
            row = await fetch_one(connection, QUERIES["instance_totals"])
        return Totals(
            memories=row["memories"],
            users=row["users"],
            organisations=row["organisations"],
            relationships=row["relationships"],
            pending_work={WorkKind.EMBED: row["to_embed"], WorkKind.LINK: row["to_link"]},
        )
