"""LimitStore on PostgreSQL, in a table that no write-ahead log slows down and a crash empties."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.errors import PronoiaError
from pronoia.ports.limit_store import CellGrant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.adapters.postgres.transactions import Database
    from pronoia.ports.limit_store import CellClaim

PURGE_SECONDS = 60.0
PURGE_BATCH = 100_000

log = structlog.get_logger(__name__)


class PostgresLimitStore:
    """Takes cells of all claims in one statement, on the database's clock.

    Its connections should be its own: who counts requests must not wait for those that it has admitted.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, claims: Sequence[CellClaim]) -> list[CellGrant]:
        """Take cells of several keys, each by itself. Raises StoreUnavailableError."""
        async with self._database.durable(one_statement=True) as connection:
            rows = await connection.fetch(
                QUERIES["take_cells"],
                [claim.organisation_id for claim in claims],
                [claim.key for claim in claims],
                [claim.interval_seconds for claim in claims],
                [claim.limit for claim in claims],
                [claim.wanted for claim in claims],
                [claim.minimum for claim in claims],
                [claim.returned for claim in claims],
            )
        return [CellGrant(row["cells"], row["backlog_seconds"], row["total"]) for row in rows]

    async def purge(self) -> int:
        """Forget up to PURGE_BATCH keys whose budgets are full, and say how many."""
        async with self._database.durable(one_statement=True) as connection:
            return await connection.fetchval(QUERIES["purge_rate_limits"], PURGE_BATCH)

    async def run(self) -> None:
        """Keep the table small until cancelled."""
        while True:
            await asyncio.sleep(PURGE_SECONDS)
            try:
                while await self.purge() == PURGE_BATCH:
                    pass
            except PronoiaError as error:
                log.warning("rate_limit.not_purged", reason=error.message)

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()
