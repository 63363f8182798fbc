"""The keys that organisations' texts are encrypted with, as they lie in the database: wrapped by a master key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cachetools import LRUCache

from pronoia.adapters.master_keys import KEY_BYTES
from pronoia.adapters.postgres.audit_store import record
from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.text_cipher import EncryptedTexts
from pronoia.domain.audit import NO_ORGANISATION, AuditAction
from pronoia.domain.errors import ConfigurationError, EncryptedTextError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pronoia.adapters.master_keys import MasterKey, MasterKeys
    from pronoia.adapters.postgres.driver import Row
    from pronoia.adapters.postgres.text_cipher import TextCipher
    from pronoia.adapters.postgres.transactions import Database

ORGANISATIONS_AT_ONCE = 10_000


class DataKeys:
    """Unwraps an organisation's keys once in a process, and makes its first when the first text is written."""

    def __init__(self, database: Database, masters: MasterKeys) -> None:
        self._database = database
        self._masters = masters
        self._ciphers: LRUCache[UUID, TextCipher] = LRUCache(ORGANISATIONS_AT_ONCE)

    async def reading(self, organisation_id: UUID) -> TextCipher:
        """Give a cipher without keys if there is none yet."""
        return await self._find(organisation_id) or EncryptedTexts(organisation_id, {})

    async def writing(self, organisation_id: UUID) -> TextCipher:
        """Make the first key if there is none. Raises NotFoundError if there is no such organisation."""
        cipher = await self._find(organisation_id)
        if cipher is None:
            await self._create(organisation_id)
            cipher = await self._find(organisation_id)
        if cipher is None:
            raise NotFoundError("There is no such organisation.", id=str(organisation_id))
        return cipher

    async def _find(self, organisation_id: UUID) -> TextCipher | None:
        cipher = self._ciphers.get(organisation_id)
        if cipher is not None:
            return cipher
        async with self._database.reading(organisation_id) as connection:
            rows = await connection.fetch(QUERIES["data_keys"], organisation_id)
        if not rows:
            return None
        try:
            # Read anew: they may have been rotated since this process began.
            keys = unwrapped(rows, await self._masters.read())
        except ConfigurationError as error:
            raise EncryptedTextError(error.message) from error
        cipher = self._ciphers[organisation_id] = EncryptedTexts(
            organisation_id, dict(zip([row["id"] for row in rows], keys, strict=True))
        )
        return cipher

    async def _create(self, organisation_id: UUID) -> None:
        master, *_ = await self._masters.read()
        wrapped = master.wrap(os.urandom(KEY_BYTES), _bound_to(organisation_id, 1))
        async with self._database.writing(organisation_id) as connection:
            await connection.execute(QUERIES["add_data_key"], organisation_id, wrapped, master.id)


def unwrapped(rows: Sequence[Row], masters: Sequence[MasterKey]) -> list[bytes]:
    """Unwrap rows of data_keys. Raises ConfigurationError if the master key of one is not there."""
    by_id = {master.id: master for master in masters}
    missing = {row["master_key_id"] for row in rows} - by_id.keys()
    if missing:
        raise ConfigurationError(
            f"Texts are encrypted under the master key {', '.join(sorted(missing))}, which is not configured: set "
            "PRONOIA_MASTER_KEY_FILE or PRONOIA_MASTER_KEY_COMMAND to give it as well. See docs/security.md."
        )
    return [
        by_id[row["master_key_id"]].unwrap(row["wrapped"], _bound_to(row["organisation_id"], row["id"])) for row in rows
    ]


async def check_master_keys(database: Database, masters: MasterKeys | None) -> None:
    """Unwrap every key that there is. Raises ConfigurationError if one cannot be."""
    available = [] if masters is None else await masters.read()
    async with database.writing(None) as connection:
        rows = await connection.fetch(QUERIES["list_data_keys"])
    unwrapped(rows, available)


async def rotate(database: Database, masters: MasterKeys) -> int:
    """Wrap all keys by the first master key, in one transaction, and say how many."""
    available = await masters.read()
    first = available[0]
    async with database.writing(NO_ORGANISATION) as connection:
        rows = await connection.fetch(QUERIES["list_data_keys"])
        keys = unwrapped(rows, available)
        owners = [(row["organisation_id"], row["id"]) for row in rows]
        after = [first.wrap(key, _bound_to(*owner)) for key, owner in zip(keys, owners, strict=True)]
        counted = await fetch_one(
            connection,
            QUERIES["rewrap_data_keys"],
            [organisation_id for organisation_id, _ in owners],
            [number for _, number in owners],
            [row["wrapped"] for row in rows],
            after,
            first.id,
        )
        count = int(counted["rewrap_data_keys"])
        await record(connection, NO_ORGANISATION, AuditAction.MASTER_KEY_ROTATED, count=count, master_key=first.id)
    return count


def _bound_to(organisation_id: UUID, number: int) -> bytes:
    return organisation_id.bytes + number.to_bytes(4)
