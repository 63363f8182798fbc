"""When each key was used last: written behind the requests, in batches, once a minute for a key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import UnavailableError
from pronoia.ports.key_store import KeyUse
from pronoia.resilience.cache import ExpiringStore

if TYPE_CHECKING:
    from pronoia.domain.records import ApiKey
    from pronoia.ports.clock import Clock
    from pronoia.ports.key_store import KeyStore

FLUSH_SECONDS = 5.0
PAUSE_SECONDS = 60.0
MAXIMUM_KEYS = 10_000
"""How many keys are remembered, and how many uses wait to be written; further ones are not noted."""
NOTED_BYTES = 200

log = structlog.get_logger(__name__)


class KeyUses:
    """Notes the use of keys."""

    def __init__(self, *, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: ExpiringStore[str, bool] = ExpiringStore(
            maximum_keys=MAXIMUM_KEYS, maximum_bytes=MAXIMUM_KEYS * NOTED_BYTES, now=clock.monotonic
        )
        self._pending: list[KeyUse] = []
        self._arrived = asyncio.Event()

    def record(self, key: ApiKey) -> None:
        """Note that a key is used now, unless it was within the last minute. Never waits."""
        if self._noted.get(key.id) or len(self._pending) >= MAXIMUM_KEYS:
            return
        until = self._clock.monotonic() + PAUSE_SECONDS
        self._noted.put(key.id, True, size=NOTED_BYTES, expires_at=until)
        self._pending.append(KeyUse(key.organisation_id, key.id, self._clock.now()))
        self._arrived.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            self._arrived.clear()
            try:
                await self.flush()
            except UnavailableError as error:
                log.warning("key_uses.waiting", pending=len(self._pending), reason=error.message)
                self._arrived.set()

    async def flush(self) -> None:
        """Write what is pending. On failure it stays pending."""
        batch = self._pending[:]
        if batch:
            await self._store.record_uses(batch)
            del self._pending[: len(batch)]
