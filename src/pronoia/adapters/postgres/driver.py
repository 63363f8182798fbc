"""The part of asyncpg that this adapter uses, with types, and with connections made the way we need them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import asyncpg
import numpy as np

from pronoia.adapters.postgres.queries import QUERIES

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from pronoia.adapters.postgres.statements import Finished

APPLICATION_NAME = "pronoia"


class Row(Protocol):
    """One row. A column has the Python type that its SQL type maps to."""

    def __getitem__(self, column: str) -> Any: ...  # noqa: ANN401 - only the query knows


class LogMessage(Protocol):
    """A notice or warning of the server."""

    server_source_function: str | None


class Transaction(Protocol):
    """A transaction, entered by `async with` or by hand."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(self, *exception: object) -> None: ...

    async def start(self) -> None: ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...


class Connection(Protocol):
    """A connection, borrowed or owned. Each call has the connection's time limit and raises TimeoutError beyond it."""

    async def fetch(self, query: str, *arguments: object) -> Sequence[Row]:
        """Give all rows."""
        ...

    async def fetchrow(self, query: str, *arguments: object) -> Row | None:
        """Give the first row, if there is one."""
        ...

    async def fetchval(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 - only the query knows
        """Give the first column of the first row; None if there is none."""
        ...

    async def execute(self, query: str, *arguments: object) -> str:
        """Run a statement; without arguments, any number of them."""
        ...

    async def copy_from_query(
        self,
        query: str,
        *arguments: object,
        output: Callable[[bytes], Awaitable[None]],
        format: Literal["binary"],  # noqa: A002 - asyncpg's name
    ) -> str:
        """Write the rows of a query, piece by piece, and give `COPY` and their number."""
        ...

    async def copy_to_table(
        self,
        table_name: str,
        *,
        source: AsyncIterable[bytes],
        columns: Sequence[str],
        format: Literal["binary"],  # noqa: A002 - asyncpg's name
    ) -> str:
        """Store rows that copy_from_query wrote, and give `COPY` and their number."""
        ...

    def transaction(self, *, isolation: str | None = None, readonly: bool = False) -> Transaction:
        """Commit when left in peace, roll back when left by an exception."""
        ...

    def add_log_listener(self, callback: Callable[[object, LogMessage], None]) -> None:
        """Hear notices and warnings."""
        ...

    def remove_log_listener(self, callback: Callable[[object, LogMessage], None]) -> None:
        """Stop hearing them."""
        ...

    def add_query_logger(self, callback: Callable[[Finished], None]) -> None:
        """Hear of every statement when it has ended; as long as the connection lives."""
        ...

    def add_termination_listener(self, callback: Callable[[object], None]) -> None:
        """Hear that the connection has ended, for whatever reason."""
        ...

    async def add_listener(self, channel: str, callback: Callable[[object, int, str, str], None]) -> None:
        """Hear notifications: connection, process, channel, payload."""
        ...

    async def set_type_codec(
        self,
        typename: str,
        *,
        schema: str,
        encoder: Callable[[bytes], bytes],
        decoder: Callable[[bytes], bytes],
        format: str,  # noqa: A002 - asyncpg's name
    ) -> None:
        """Say how values of a type cross the wire."""
        ...

    def terminate(self) -> None:
        """Close at once, without a word to the server."""
        ...

    async def close(self) -> None:
        """Have the server stop what it does, and close in good order; at once if that takes too long."""
        ...


class Pool(Protocol):
    """A bounded set of connections."""

    def acquire(self, *, timeout: float | None = None) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection. Raises TimeoutError if none is free in time."""
        ...

    def get_size(self) -> int:
        """Count the connections that are open."""
        ...

    def get_idle_size(self) -> int:
        """Count those that nobody uses."""
        ...

    async def close(self) -> None:
        """Close all connections, waiting for those that are lent."""
        ...

    def terminate(self) -> None:
        """Close all connections at once."""
        ...


class _Connection(asyncpg.Connection):  # pyright: ignore[reportUntypedBaseClass]
    """A connection that needs no cleaning when it goes back: nothing we do outlives its transaction."""

    def get_reset_query(self) -> str:
        return ""


async def connect(url: str, *, timeout_seconds: float, pooler: bool = False) -> Connection:
    """Open a connection of one's own, with its time limit for each call."""
    return cast(
        "Connection",
        await asyncpg.connect(  # pyright: ignore[reportUnknownMemberType]
            url, connection_class=_Connection, **_options(timeout_seconds, pooler=pooler)
        ),
    )


async def open_pool(
    url: str, *, connections: int, timeout_seconds: float, pooler: bool, finished: Callable[[Finished], None]
) -> Pool:
    """Open a pool that begins with one connection and holds at most `connections`. `finished` hears of statements."""

    async def prepare(connection: Connection) -> None:
        connection.add_query_logger(finished)
        await _teach_vectors(connection)

    pool = await asyncpg.create_pool(  # pyright: ignore[reportUnknownMemberType]
        url,
        min_size=1,
        max_size=connections,
        init=prepare,
        connection_class=_Connection,
        **_options(timeout_seconds, pooler=pooler),
    )
    return cast("Pool", pool)


def _options(timeout_seconds: float, *, pooler: bool) -> dict[str, Any]:
    limits: dict[str, Any] = {"timeout": timeout_seconds, "command_timeout": timeout_seconds}
    name = {"application_name": APPLICATION_NAME}
    if pooler:
        # The next statement may reach another server process, which has not prepared it. Poolers refuse all settings
        # but the name: each transaction makes them for itself.
        return {**limits, "statement_cache_size": 0, "server_settings": name}
    return {**limits, "server_settings": {**name, **session_limits(timeout_seconds)}}


def session_limits(timeout_seconds: float) -> dict[str, str]:
    """Give the settings under which every statement of ours runs."""
    milliseconds = round(timeout_seconds * 1000)
    return {
        "jit": "off",
        # Else each call with few rows is planned anew, which takes longer than running it.
        "plan_cache_mode": "force_generic_plan",
        "statement_timeout": str(milliseconds),
        # Longer: between two statements a transaction may wait for another connection as long as one statement.
        "idle_in_transaction_session_timeout": str(2 * milliseconds),
    }


async def _teach_vectors(connection: Connection) -> None:
    async with connection.transaction():  # one server process for its several statements, also behind a pooler
        schema: str = await connection.fetchval(QUERIES["vector_schema"])
        await connection.set_type_codec("halfvec", schema=schema, encoder=bytes, decoder=bytes, format="binary")


async def fetch_one(connection: Connection, query: str, *arguments: object) -> Row:
    """Give the row of a query that always has one."""
    (row,) = await connection.fetch(query, *arguments)
    return row


def halfvec(values: bytes) -> bytes:
    """Write little-endian float32 as PostgreSQL receives a halfvec: size, zero, and the halves, all big-endian."""
    halves = np.frombuffer(values, "<f4").astype(">f2")
    return struct.pack(">HH", halves.size, 0) + halves.tobytes()
