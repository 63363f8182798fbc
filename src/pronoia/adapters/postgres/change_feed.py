"""ChangeFeed on PostgreSQL's LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from pronoia.adapters.postgres.driver import connect
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.errors import PronoiaError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence

    from pronoia.adapters.postgres.driver import Connection
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope
    from pronoia.ports.snapshots import UserState

CHANNEL = "pronoia_changes"
FORGOTTEN = "forgotten"
MAXIMUM_PAYLOAD_BYTES = 7_500
"""PostgreSQL refuses 8,000 (NOTIFY)."""
PING_SECONDS = 15.0
"""A connection that died without a word is noticed after this and the time limit of a statement."""
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 10.0

log = structlog.get_logger(__name__)


class PostgresChangeFeed:
    """Announces through the pool and listens on a connection of its own, which must not lead to a pooler."""

    def __init__(
        self,
        database: Database,
        *,
        direct_url: str,
        timeout_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._direct_url = direct_url
        self._timeout_seconds = timeout_seconds
        self._sleep = sleep
        self._sender = os.urandom(8).hex()

    async def announce(
        self, changes: Sequence[tuple[Scope, UserState]], forgotten: Collection[Scope] = frozenset()
    ) -> None:
        """Tell the other processes, never in a transaction that writes: a notice makes commits wait in line."""
        entries = [
            f"{scope.digest.hex()}:{state.version}:{state.activity}" + (f":{FORGOTTEN}" if scope in forgotten else "")
            for scope, state in changes
        ]
        async with self._database.writing(None) as connection:
            await connection.execute(QUERIES["announce"], payloads(self._sender, entries))

    async def run(
        self,
        heard: Callable[[bytes, int, int], None],
        forgotten: Callable[[bytes], None],
        lost: Callable[[], None],
    ) -> None:
        """Listen until cancelled. `lost` is called when the connection breaks and when the next one listens."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                async with self._listening(heard, forgotten, lost) as (connection, ended):
                    lost()
                    wait = FIRST_WAIT_SECONDS
                    await _watch(connection, ended)
            except PronoiaError as error:
                log.warning("changes.not_listening", reason=error.message, wait_seconds=wait)
            lost()
            await self._sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    @asynccontextmanager
    async def _listening(
        self,
        heard: Callable[[bytes, int, int], None],
        forgotten: Callable[[bytes], None],
        lost: Callable[[], None],
    ) -> AsyncGenerator[tuple[Connection, asyncio.Event]]:
        ended = asyncio.Event()

        def hear(_connection: object, _process: int, _channel: str, payload: str) -> None:
            sender, *entries = payload.split(" ")
            if sender == self._sender:
                return
            try:
                changes = [read_entry(entry) for entry in entries]
            except ValueError:
                log.warning("changes.unreadable", size=len(payload))
                lost()
                return
            for digest, version, activity, is_forgotten in changes:
                heard(digest, version, activity)
                if is_forgotten:
                    forgotten(digest)

        with translated_errors():
            connection = await connect(self._direct_url, timeout_seconds=self._timeout_seconds)
            try:
                connection.add_termination_listener(lambda _: ended.set())
                await connection.add_listener(CHANNEL, hear)
                yield connection, ended
            finally:
                connection.terminate()


async def _watch(connection: Connection, ended: asyncio.Event) -> None:
    """Return when the connection has ended. Raises when it does not answer."""
    while True:
        try:
            async with asyncio.timeout(PING_SECONDS):
                await ended.wait()
        except TimeoutError:
            await connection.execute(QUERIES["ping"])
        else:
            return


def payloads(sender: str, entries: Sequence[str]) -> list[str]:
    """Put entries behind the sender, into as few payloads as their limit allows."""
    filled: list[str] = []
    payload = sender
    for entry in entries:
        if len(payload) + 1 + len(entry) > MAXIMUM_PAYLOAD_BYTES:
            filled.append(payload)
            payload = sender
        payload = f"{payload} {entry}"
    return [*filled, payload] if entries else []


def read_entry(entry: str) -> tuple[bytes, int, int, bool]:
    """Read digest, version, activity, and whether the user was forgotten. Raises ValueError."""
    digest, version, activity, *rest = entry.split(":")
    if rest not in ([], [FORGOTTEN]):
        raise ValueError(entry)
    return bytes.fromhex(digest), int(version), int(activity), bool(rest)
