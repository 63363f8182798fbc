"""Transactions. Each steps down to the role without rights, and nothing it sets outlives it."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import structlog

from pronoia.adapters.postgres.driver import (
    Connection,
    LogMessage,
    Pool,
    Transaction,
    open_pool,
    session_limits,
)
from pronoia.adapters.postgres.errors import judge, translated_errors
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.statements import StatementWatch
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.domain.errors import StoreUnavailableError
from pronoia.resilience import policies
from pronoia.resilience.breaker import Breaker
from pronoia.resilience.bulkhead import Bulkhead
from pronoia.resilience.deadline import is_out_of_time, time_left

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from uuid import UUID

    from pronoia.ports.telemetry import Meter, Telemetry

QUEUE = 200
"""Callers that wait for a connection at most, where nothing else is said."""
REPLICATION_WAIT = "SyncRepWaitForLSN"
"""The function of PostgreSQL that waits for standbys, and warns when it was told to stop waiting."""

log = structlog.get_logger(__name__)


class Database:
    """A pool whose every use has a deadline, and the three kinds of transaction that are made on it.

    Before the pool stand a bulkhead, which bounds who waits for it, and a breaker, which stops asking a database that
    is down. `reserved` uses may take the places that the bulkhead keeps.
    """

    def __init__(
        self,
        pool: Pool,
        meter: Meter,
        *,
        timeout_seconds: float,
        breaker: Breaker,
        bulkhead: Bulkhead,
        pooler: bool = False,
    ) -> None:
        self._pool = pool
        self._meter = meter
        self._timeout_seconds = timeout_seconds
        self._breaker = breaker
        self._bulkhead = bulkhead
        self._pooler = pooler

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        connections: int,
        timeout_seconds: float,
        pooler: bool = False,
        breaker: Breaker | None = None,
        bulkhead: Bulkhead | None = None,
        telemetry: Telemetry | None = None,
    ) -> Database:
        """Open a migrated database. Raises StoreUnavailableError or ConfigurationError if it cannot be used."""
        telemetry = telemetry or open_telemetry()
        with translated_errors():
            pool = await open_pool(
                url,
                connections=connections,
                timeout_seconds=timeout_seconds,
                pooler=pooler,
                finished=StatementWatch(telemetry).finished,
            )
        telemetry.meter.set("db_connections_limit", connections)
        return cls(
            pool,
            telemetry.meter,
            timeout_seconds=timeout_seconds,
            breaker=breaker or Breaker("database", policies.DATABASE),
            bulkhead=bulkhead
            or Bulkhead("database", concurrent=connections, queue=QUEUE, longest_wait_seconds=timeout_seconds),
            pooler=pooler,
        )

    async def close(self) -> None:
        """Close the connections, waiting for those in use no longer than one statement may take."""
        try:
            await asyncio.wait_for(self._pool.close(), self._timeout_seconds)
        except TimeoutError:
            self._pool.terminate()

    async def check(self) -> None:
        """Raise StoreUnavailableError if the database does not answer. Neither asks the breaker nor tells it."""
        with translated_errors():
            async with self._bulkhead.place(reserved=True), _lent(self._pool, self._timeout_seconds) as one:
                await one.execute(QUERIES["ping"])

    @asynccontextmanager
    async def reading(self, organisation_id: UUID) -> AsyncGenerator[Connection]:
        """Read one tenant in one consistent state."""
        async with (
            self._connection(reserved=False) as connection,
            _transaction(connection.transaction(isolation="repeatable_read", readonly=True)),
        ):
            await self._enter(connection, str(organisation_id))
            yield connection

    @asynccontextmanager
    async def writing(self, organisation_id: UUID | None, *, reserved: bool = False) -> AsyncGenerator[Connection]:
        """Write in one tenant; or in none, for the functions that work across tenants."""
        async with self._durable(framed=True, reserved=reserved) as connection:
            await self._enter(connection, "" if organisation_id is None else str(organisation_id))
            yield connection

    @asynccontextmanager
    async def durable(self, *, one_statement: bool = False, reserved: bool = False) -> AsyncGenerator[Connection]:
        """Write with statements that enter a tenant by themselves, or need none.

        One statement is a transaction by itself. Behind a pooler it still needs a frame, which keeps it on one server
        process, and enters no tenant first: else what another client left in the session would hold until then.
        """
        async with self._durable(framed=self._pooler or not one_statement, reserved=reserved) as connection:
            if self._pooler:
                await self._enter(connection, "")
            yield connection

    async def _enter(self, connection: Connection, tenant: str) -> None:
        """Step into a tenant, behind a pooler with all that a connection of our own is opened with."""
        if not self._pooler:
            await connection.execute(QUERIES["enter_tenant"], tenant)
            return
        limits = session_limits(self._timeout_seconds)
        planted = await connection.fetchval(QUERIES["enter_pooled_tenant"], tenant, list(limits), list(limits.values()))
        if planted is not None:
            self._meter.count("db_foreign_settings_total")
            log.warning("database.foreign_setting", name="app.tenant")

    @asynccontextmanager
    async def _durable(self, *, framed: bool, reserved: bool) -> AsyncGenerator[Connection]:
        """Write, and fail if the commit was not as durable as the server is configured to make it.

        A wait for a standby that is cancelled is reported as a commit and a warning, not as an error.
        """
        unsynchronised: list[LogMessage] = []

        def hear(_: object, message: LogMessage) -> None:
            if message.server_source_function == REPLICATION_WAIT:
                unsynchronised.append(message)

        async with self._connection(reserved=reserved) as connection:
            connection.add_log_listener(hear)
            try:
                async with _transaction(connection.transaction()) if framed else _one_statement(connection):
                    yield connection
            finally:
                connection.remove_log_listener(hear)
        if unsynchronised:
            raise StoreUnavailableError("The write was stored, but no standby has confirmed it.", retry_after=1)

    @asynccontextmanager
    async def _connection(self, *, reserved: bool) -> AsyncGenerator[Connection]:
        with translated_errors():
            asked = time.perf_counter()
            async with self._bulkhead.place(reserved=reserved):
                limit = time_left(self._timeout_seconds)
                with self._breaker.guard(partial(judge, patient=2 * limit >= self._timeout_seconds)):
                    rest = time_left(math.inf)
                    async with (
                        asyncio.timeout(None if rest == math.inf else rest),
                        _lent(self._pool, limit) as connection,
                    ):
                        self._meter.observe("db_connection_wait_seconds", time.perf_counter() - asked)
                        self._show_use()
                        yield connection
            self._show_use()

    def _show_use(self) -> None:
        """Let it be seen how many connections are in use."""
        is_open = self._pool.get_size()
        self._meter.set("db_connections_open", is_open)
        self._meter.set("db_connections_active", is_open - self._pool.get_idle_size())


@asynccontextmanager
async def _transaction(transaction: Transaction) -> AsyncGenerator[None]:
    """Commit when left in peace, roll back when left by an error."""
    await transaction.start()
    async with _undone_by(transaction.rollback):
        yield
    await transaction.commit()


@asynccontextmanager
async def _one_statement(connection: Connection) -> AsyncGenerator[None]:
    """Leave nothing of a statement that failed.

    The driver has it prepared before it looks at the values for it. When it refuses these, the server is in a
    transaction of which the driver knows nothing, until the next statement.
    """
    async with _undone_by(partial(connection.execute, QUERIES["ping"])):
        yield


@asynccontextmanager
async def _undone_by(undo: Callable[[], Awaitable[object]]) -> AsyncGenerator[None]:
    """Have `undo` end what an error has left. What was cut off ends with its connection."""
    try:
        yield
    except (TimeoutError, asyncio.CancelledError):
        raise
    except BaseException:
        await undo()
        raise


@asynccontextmanager
async def _lent(pool: Pool, timeout_seconds: float) -> AsyncGenerator[Connection]:
    """Lend a connection, and end it if its use was cut off: what the server is in the middle of is not known."""
    async with pool.acquire(timeout=timeout_seconds) as connection:
        try:
            yield connection
        except (TimeoutError, asyncio.CancelledError) as error:
            if is_out_of_time(error):
                # A silent database would not answer a polite end either.
                connection.terminate()
            else:
                # Who is called off once more meanwhile need not wait for it.
                await asyncio.shield(asyncio.gather(connection.close(), return_exceptions=True))
            raise
