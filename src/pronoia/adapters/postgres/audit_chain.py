"""All chains of a database, read as the owner of its tables."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.audit_store import head_of, row_of
from pronoia.adapters.postgres.driver import connect
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.audit import NO_ORGANISATION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pronoia.adapters.postgres.driver import Connection
    from pronoia.domain.audit import AuditHead, AuditRow

PAGE = 2_000


class AuditChain:
    """One consistent state of all chains, whatever is written meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def heads(self) -> list[AuditHead]:
        """Give the end of each chain, as the chainer noted it."""
        return [head_of(row) for row in await self._connection.fetch(QUERIES["read_audit_heads"])]

    async def waiting(self) -> int:
        """Count the rows that are in no chain yet."""
        return await self._connection.fetchval(QUERIES["count_audit_waiting"])

    async def rows(self) -> AsyncIterator[AuditRow]:
        """Give all chained rows by organisation and number."""
        after = (NO_ORGANISATION, -(1 << 63))
        while page := await self._connection.fetch(QUERIES["read_audit_chain"], *after, PAGE):
            for row in page:
                yield row_of(row)
            after = (page[-1]["organisation_id"], page[-1]["number"])


@asynccontextmanager
async def open_audit_chain(url: str, *, timeout_seconds: float) -> AsyncGenerator[AuditChain]:
    """Open the chains. Raises StoreUnavailableError."""
    with translated_errors():
        connection = await connect(url, timeout_seconds=timeout_seconds)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield AuditChain(connection)
        finally:
            await connection.close()
