"""SubjectStore on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import connect, fetch_one
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.rows import receipt_columns, receipt_of_row
from pronoia.adapters.postgres.text_cipher import PLAIN_TEXTS, open_record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.adapters.postgres.driver import Connection
    from pronoia.adapters.postgres.text_cipher import Texts
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.erasures import Receipt
    from pronoia.domain.identifiers import Scope

PEOPLE_AT_ONCE = 5_000
RECEIPTS_AT_ONCE = 500
REWRITE_TIMEOUT_SECONDS = 6 * 3600.0


class PostgresSubjectStore:
    def __init__(self, database: Database, *, direct_url: str, texts: Texts = PLAIN_TEXTS) -> None:
        """`direct_url` leads to the database past any pooler: tables are rewritten outside of transactions."""
        self._database = database
        self._direct_url = direct_url
        self._texts = texts

    async def records(self, scope: Scope) -> AsyncGenerator[Sequence[tuple[str, str]]]:
        """Give all records in one consistent state. The transaction lasts as long as they are read."""
        cipher = await self._texts.reading(scope.organisation_id)
        async with self._database.reading(scope.organisation_id) as connection:
            await connection.execute(QUERIES["open_records"], scope.organisation_id, scope.user_id)
            while rows := await connection.fetch(QUERIES["next_records"]):
                yield [(row["type"], open_record(cipher, scope.user_id, row["record"])) for row in rows]

    async def people(self, organisation_id: UUID, after: str) -> list[str]:
        """Give up to PEOPLE_AT_ONCE names."""
        async with self._database.reading(organisation_id) as connection:
            rows = await connection.fetch(QUERIES["people"], organisation_id, after, PEOPLE_AT_ONCE)
        return [row["name"] for row in rows]

    async def held_since(self, scope: Scope) -> datetime | None:
        """Give the time of the oldest row."""
        async with self._database.reading(scope.organisation_id) as connection:
            return await connection.fetchval(QUERIES["held_since"], scope.organisation_id, scope.user_id)

    async def erasure_key(self, organisation_id: UUID) -> bytes | None:
        """Give the key."""
        async with self._database.reading(organisation_id) as connection:
            return await connection.fetchval(QUERIES["erasure_key"], organisation_id)

    async def keep(self, receipt: Receipt, noted_at: datetime) -> None:
        """Keep a receipt, once."""
        async with self._database.writing(receipt.organisation_id) as connection:
            await connection.execute(QUERIES["keep_receipt"], *receipt_columns(receipt, noted_at))

    async def to_note(self) -> list[Receipt]:
        """Give up to RECEIPTS_AT_ONCE receipts."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["erasures_to_note"], RECEIPTS_AT_ONCE)
        return [receipt_of_row(row) for row in rows]

    async def noted(self, receipts: Sequence[Receipt], at: datetime) -> None:
        """Remember them as noted."""
        tenants, ids = [one.organisation_id for one in receipts], [one.id for one in receipts]
        async with self._database.writing(None) as connection:
            await connection.execute(QUERIES["note_erasures"], tenants, ids, at)

    async def rewrite(self) -> list[str]:
        """Rewrite the tables one after another. Each is locked while its turn lasts, and needs its size in free space.

        The planner's statistics are made anew too: they are samples of what the columns held.
        """
        with translated_errors():
            connection = await connect(self._direct_url, timeout_seconds=REWRITE_TIMEOUT_SECONDS)
            try:
                names = [row["name"] for row in await connection.fetch(QUERIES["tables_of_people"])]
                can_clear: bool = await connection.fetchval(QUERIES["statistics_can_be_cleared"])
                for name in names:
                    await _rewrite(connection, name, can_clear=can_clear)
                await connection.execute(QUERIES["rewrite_statistics"])
            finally:
                await connection.close()
        return names


async def _rewrite(connection: Connection, table: str, *, can_clear: bool) -> None:
    if can_clear:
        # Analyzing an empty table leaves the old statistics as they are.
        await connection.execute(QUERIES["clear_statistics"], table)
    statement = await fetch_one(connection, QUERIES["rewriting_statement"], table)
    await connection.execute(statement["rewriting"])
