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


class Holder(Protocol):
    """Holds something of users in this process."""

    def forgotten(self, digest: bytes) -> None:
        """Drop all of a user whom another process forgot."""
        ...


class Changes:
    """Coalesces this process's changes into one notice per COALESCE_SECONDS, and hears those of the others."""

    def __init__(
        self,
        *,
        feed: ChangeFeed,
        residents: Residents,
        others: Sequence[ChangeListener] = (),
        holders: Sequence[Holder] = (),
    ) -> None:
        """`others` hear what the residents hear; `holders` too hold something of users who may be forgotten."""
        self._feed = feed
        self._listeners: tuple[ChangeListener, ...] = (residents, *others)
        self._holders: tuple[Holder, ...] = (residents, *holders)
        self._forgotten: set[Scope] = set()
        self._pending: dict[Scope, UserState] = {}
        self._arrived = asyncio.Event()

    def note(self, scope: Scope, state: UserState) -> None:
        """Remember to tell the others. Bounded by the number of users who write within one notice."""
        known = self._pending.get(scope, state)
        self._pending[scope] = UserState(
            max(known.version, state.version), max(known.activity, state.activity), state.memory_count
        )
        self._arrived.set()

    def forgot(self, scope: Scope, state: UserState) -> None:
        """Remember to tell the others that nothing is held of a user any more."""
        self._forgotten.add(scope)
        self.note(scope, state)

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
        forgotten, self._forgotten = self._forgotten, set()
        if not changes:
            return
        try:
            await self._feed.announce(list(changes.items()), forgotten)
        except BaseException:
            self._pending = changes | self._pending
            self._forgotten |= forgotten
            self._arrived.set()
            raise

    async def listen(self) -> None:
        """Hear the others until cancelled."""
        await self._feed.run(self._heard, self._drop, self._lost)

    def _heard(self, digest: bytes, version: int, activity: int) -> None:
        for listener in self._listeners:
            listener.heard(digest, version, activity)

    def _drop(self, digest: bytes) -> None:
        for holder in self._holders:
            holder.forgotten(digest)

    def _lost(self) -> None:
        for listener in self._listeners:
            listener.lost()
