"""A cache tier in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.ports.cache_tier import CacheEntry, CacheSize
from pronoia.resilience.cache import ExpiringStore

if TYPE_CHECKING:
    from pronoia.domain.identifiers import Scope
    from pronoia.ports.clock import Clock

CLEAN_SECONDS = 60.0
OVERHEAD_BYTES = 700
"""What an entry takes beside key and value: the records, and its places in two tables."""


class LocalTier:
    """Answers without waiting. A process of its own has its own."""

    def __init__(
        self, *, name: str, lifetime_seconds: float, maximum_keys: int, maximum_bytes: int, clock: Clock
    ) -> None:
        self.name = name
        self.lifetime_seconds = lifetime_seconds
        self.clean_seconds = CLEAN_SECONDS
        self._clock = clock
        self._store: ExpiringStore[tuple[bytes, bytes], CacheEntry] = ExpiringStore(
            maximum_keys=maximum_keys, maximum_bytes=maximum_bytes, now=clock.monotonic
        )

    async def get(self, owner: Scope, key: bytes) -> CacheEntry | None:
        """Give what is kept and has not expired."""
        return self._store.get((owner.digest, key))

    async def put(self, owner: Scope, key: bytes, entry: CacheEntry) -> None:
        """Keep a value, unless it is too large; the least recently used make room."""
        digest = owner.digest
        size = len(digest) + len(key) + len(entry.value) + OVERHEAD_BYTES
        # Counted down on the monotonic clock: a wall clock that is set back must not lengthen a life.
        expires_at = self._clock.monotonic() + entry.expires_at - self._clock.now().timestamp()
        self._store.put((digest, key), entry, size=size, expires_at=expires_at, group=digest)

    async def forget(self, owner: Scope) -> None:
        """Drop all of an owner's values."""
        self._store.drop_group(owner.digest)

    def heard(self, digest: bytes, version: int, activity: int) -> None:  # noqa: ARG002 - any change will do
        """Drop what is kept of a user whom another process changed: nobody asks for it any more."""
        self._store.drop_group(digest)

    def lost(self) -> None:
        """Drop everything: a database that went back in time gives out versions again."""
        self._store.clear()

    async def clean(self) -> CacheSize:
        """Drop what has expired, and say what is left."""
        self._store.drop_expired()
        return CacheSize(len(self._store), self._store.nbytes)

    async def close(self) -> None:
        """Drop everything."""
        self._store.clear()
