"""Encrypts what was stored before encryption was switched on, while others read and write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from pronoia.adapters.postgres.audit_store import record
from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.audit import AuditAction

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pronoia.adapters.postgres.driver import Row
    from pronoia.adapters.postgres.text_cipher import TextCipher, Texts
    from pronoia.adapters.postgres.transactions import Database

ROWS_AT_ONCE = 200
"""They are locked while they are encrypted: a few milliseconds."""
KINDS = ("memories", "revisions", "examples")


@dataclass(frozen=True, slots=True)
class DataKey:
    """Whose key it is, and which master key wraps it."""

    organisation_id: UUID
    number: int
    master_key_id: str


@dataclass(frozen=True, slots=True)
class PlainRows:
    """How many rows are not encrypted."""

    memories: int
    revisions: int
    examples: int

    @property
    def total(self) -> int:
        return self.memories + self.revisions + self.examples


class PostgresEncryption:
    def __init__(self, database: Database, texts: Texts) -> None:
        self._database = database
        self._texts = texts

    async def keys(self) -> list[DataKey]:
        """List the keys of all organisations."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["list_data_keys"])
        return [DataKey(row["organisation_id"], row["id"], row["master_key_id"]) for row in rows]

    async def plain(self, organisation_id: UUID) -> PlainRows:
        """Count what is not encrypted. It reads the whole organisation."""
        async with self._database.reading(organisation_id) as connection:
            row = await fetch_one(connection, QUERIES["count_plain"], organisation_id)
        return PlainRows(row["memories"], row["revisions"], row["examples"])

    async def encrypt(self, organisation_id: UUID) -> AsyncGenerator[int]:
        """Encrypt batch by batch, each in a transaction, and give the rows of each.

        It may be stopped and begun again. What others are writing meanwhile is left out: they write it encrypted.
        """
        cipher = await self._texts.writing(organisation_id)
        async with self._database.writing(organisation_id) as connection:
            await connection.execute(QUERIES["drop_answers"], organisation_id)
            await record(connection, organisation_id, AuditAction.ENCRYPTION_BEGUN)
        for kind in KINDS:
            after: tuple[str, UUID, int] | None = ("", UUID(int=0), 0)
            while after is not None:
                count, after = await self._encrypt_some(organisation_id, kind, cipher, after)
                yield count

    async def _encrypt_some(
        self, organisation_id: UUID, kind: str, cipher: TextCipher, after: tuple[str, UUID, int]
    ) -> tuple[int, tuple[str, UUID, int] | None]:
        """Encrypt the rows that follow one, and say how many and which was the last; None at the end."""
        async with self._database.writing(organisation_id) as connection:
            rows = await connection.fetch(QUERIES[f"plain_{kind}"], organisation_id, *after, ROWS_AT_ONCE)
            places = [row["ctid"] for row in rows]
            columns = [[_sealed(cipher, row, name) for row in rows] for name in ("first", "second")]
            await connection.execute(QUERIES[f"encrypt_{kind}"], organisation_id, places, *columns)
        if not rows:
            return 0, None
        last = rows[-1]
        return len(rows), (last["user_id"], last["id"], last["version"])


def _sealed(cipher: TextCipher, row: Row, name: str) -> str | None:
    """Seal a text of a row; one that is sealed already is opened first, and bound again to the same row."""
    stored: str | None = row[name]
    if stored is None:
        return None
    user_id, bound_to = row["user_id"], row["bound_to"]
    return cipher.seal(user_id, bound_to, cipher.open(user_id, bound_to, stored))
