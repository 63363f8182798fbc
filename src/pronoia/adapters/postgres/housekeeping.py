"""Upkeep that no request waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from pronoia.adapters.postgres.driver import connect, fetch_one
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.identifiers import Scope

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta

    from pronoia.adapters.postgres.transactions import Database

PURGE_BATCH = 10_000
"""Rows deleted at once."""
PURGED_USERS = 1_000
"""Users looked at for old rows at once."""
NOBODY = (UUID(int=0), "")
"""Comes before all users."""
INDEX_BATCH = 200
"""Memories put into the shared indexes at once: the user's writes wait for them, some tenths of a second."""
USERS_AT_ONCE = 100
BUILD_TIMEOUT_SECONDS = 6 * 3600.0


class PostgresHousekeeping:
    def __init__(self, database: Database, *, direct_url: str) -> None:
        """`direct_url` leads to the database past any pooler: an index is built outside of transactions."""
        self._database = database
        self._direct_url = direct_url

    async def claim(self, job: str, seconds: float) -> bool:
        """Take a job for so many seconds, from ourselves as well, so that it is done once in that time."""
        async with self._database.writing(None) as connection:
            return bool(await connection.fetchval(QUERIES["take_lease"], job, uuid4(), seconds))

    async def purge_idempotency_keys(self, age: timedelta) -> int:
        """Forget up to PURGE_BATCH outcomes, and say how many."""
        async with self._database.writing(None) as connection:
            return await connection.fetchval(QUERIES["purge_idempotency_keys"], age.total_seconds(), PURGE_BATCH)

    async def purge_history(
        self, after: Scope | None, uses_before: datetime, removals_before: datetime
    ) -> tuple[Scope | None, int]:
        """Forget about PURGE_BATCH older uses and removals of up to PURGED_USERS users."""
        start = NOBODY if after is None else (after.organisation_id, after.user_id)
        async with self._database.writing(None) as connection:
            row = await fetch_one(
                connection,
                QUERIES["purge_history"],
                *start,
                PURGED_USERS,
                PURGE_BATCH,
                uses_before,
                removals_before,
            )
        last = None if row["user_id"] is None else Scope(row["organisation_id"], row["user_id"])
        return last, row["purged"]

    async def purge_metrics(self, before: date) -> int:
        """Forget up to PURGE_BATCH sums and as many metrics."""
        async with self._database.writing(None) as connection:
            return await connection.fetchval(QUERIES["purge_metrics"], before, PURGE_BATCH)

    async def purge_token_revocations(self, before: datetime) -> int:
        """Forget up to PURGE_BATCH revocations, and say how many."""
        async with self._database.writing(None) as connection:
            return await connection.fetchval(QUERIES["purge_token_revocations"], before, PURGE_BATCH)

    async def expired_memories(self, now: datetime, limit: int) -> list[tuple[Scope, UUID]]:
        """Give up to `limit` memories of any tenant."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["expired_memories"], now, limit)
        return [(Scope(row["organisation_id"], row["user_id"]), row["id"]) for row in rows]

    async def refresh_reports(self) -> None:
        """Compute the materialised views anew, beside those who read them."""
        async with self._database.writing(None) as connection:
            await connection.execute(QUERIES["refresh_hourly_levels"])

    async def users_to_index(self) -> list[Scope]:
        """Give users who outgrew the working sets and are not wholly in the shared indexes yet."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["users_to_index"], USERS_AT_ONCE)
        return [Scope(row["organisation_id"], row["user_id"]) for row in rows]

    async def mark_approximate(self, scope: Scope) -> bool:
        """Put up to INDEX_BATCH memories of such a user into the shared indexes; True when all are in."""
        user = (scope.organisation_id, scope.user_id)
        async with self._database.writing(scope.organisation_id) as connection:
            await connection.execute(QUERIES["lock_user"], *user)
            indexed: int = await connection.fetchval(QUERIES["index_some_memories"], *user, INDEX_BATCH)
            if indexed == INDEX_BATCH:
                return False
            await connection.execute(QUERIES["end_indexing"], *user)
            return True

    async def ensure_vector_index(self, dimensions: int) -> bool:
        """Build the index of vectors of this size if it is not there, and say whether it was built now.

        Reads and writes go on meanwhile. A build that was broken off leaves
        an index that is kept up and never used: it is dropped and built again.
        """
        with translated_errors():
            connection = await connect(self._direct_url, timeout_seconds=BUILD_TIMEOUT_SECONDS)
            try:
                if not await connection.fetchval(QUERIES["try_index_lock"]):
                    return False
                is_whole: bool | None = await connection.fetchval(QUERIES["vector_index_is_whole"], dimensions)
                if is_whole:
                    return False
                statements = await fetch_one(connection, QUERIES["vector_index_statements"], dimensions)
                if is_whole is False:
                    await connection.execute(statements["dropping"])
                await connection.execute(statements["building"])
                return True
            finally:
                await connection.close()
