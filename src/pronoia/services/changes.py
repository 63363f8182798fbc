"""Tells the other processes which users changed, many changes in one notice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from pronoia.domain.errors import StoreUnavailableError
from pronoia.ports.snapshots import UserState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.domain.identifiers import Scope
    from pronoia.memory.residents import Residents
    from pronoia.ports.memory_store import ChangeFeed

COALESCE_SECONDS = 0.05

log = structlog.get_logger(__name__)


class ChangeListener(Protocol):
    """Hears of what other processes changed."""

    def heard(self, digest: bytes, version: int, activity: int) -> None: ...

    def lost(self) -> None:
        """Take note that a change may have gone unheard."""
        ...


class Changes:
    """Coalesces this process's changes into one notice per COALESCE_SECONDS, and hears those of the others."""

    def __init__(self, *, feed: ChangeFeed, residents: Residents, others: Sequence[ChangeListener] = ()) -> None:
        """`others` hear what the residents hear."""
        self._feed = feed
        self._listeners: tuple[ChangeListener, ...] = (residents, *others)
        self._pending: dict[Scope, UserState] = {}
        self._arrived = asyncio.Event()

    def note(self, scope: Scope, state: UserState) -> None:
        """Remember to tell the others. Bounded by the number of users who write within one notice."""
        known = self._pending.get(scope, state)
        self._pending[scope] = UserState(
            max(known.version, state.version), max(known.activity, state.activity), state.memory_count
        )
        self._arrived.set()

    async def announce(self) -> None:
        """Announce until cancelled. A notice that cannot be sent is sent with the next."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(COALESCE_SECONDS)
            try:
                await self.flush()
            except StoreUnavailableError as error:
                log.warning("changes.waiting", users=len(self._pending), reason=error.message)

    async def flush(self) -> None:
        """Tell what was not told yet. On failure it waits to be told with the next."""
        self._arrived.clear()
        changes, self._pending = self._pending, {}
        if not changes:
            return
        try:
            await self._feed.announce(list(changes.items()))
        except BaseException:
            self._pending = changes | self._pending
            self._arrived.set()
            raise

    async def listen(self) -> None:
        """Hear the others until cancelled."""
        await self._feed.run(self._heard, self._lost)

    def _heard(self, digest: bytes, version: int, activity: int) -> None:
        for listener in self._listeners:
            listener.heard(digest, version, activity)

    def _lost(self) -> None:
        for listener in self._listeners:
            listener.lost()
