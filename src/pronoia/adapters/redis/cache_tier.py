"""CacheTier on Redis or Valkey, for processes of several hosts. Needs the extra `redis`."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

from pronoia.domain.errors import ConfigurationError, UnavailableError
from pronoia.ports.cache_tier import CacheEntry, CacheSize

try:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError
except ImportError as error:
    raise ConfigurationError("PRONOIA_CACHE_URL needs the extra: pip install 'pronoia[redis]'.") from error

if TYPE_CHECKING:
    from collections.abc import Generator

    from pronoia.domain.identifiers import Scope
    from pronoia.ports.clock import Clock

# One hash slot for all keys: a script may only touch keys of one.
PREFIX = b"{pronoia}:answers:"
INDEX = b"{pronoia}:answers"
"""All keys by expiry: what is to be bounded, and found by its owner."""
HEADER = struct.Struct("<ddq")
NO_VERSION = -1
LARGEST_VALUE = 256 * 1024
CLEAN_SECONDS = 120.0


class RedisTier:
    """Keys name their owner by a digest, and expire by themselves too. One connection pool a process."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        lifetime_seconds: float,
        maximum_keys: int,
        timeout_seconds: float,
        clock: Clock,
    ) -> None:
        """Connect at the first use. Raises ConfigurationError for what is no URL of Redis."""
        self.name = name
        self.lifetime_seconds = lifetime_seconds
        self.clean_seconds = CLEAN_SECONDS
        self._maximum_keys = maximum_keys
        self._clock = clock
        try:
            self._redis: Any = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
                url,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                max_connections=32,
                retry=None,
            )
        except ValueError as error:
            raise ConfigurationError(f"PRONOIA_CACHE_URL: {error}.") from error
        self._keep, self._forget, self._clean = (
            self._redis.register_script(_script(name)) for name in ("keep", "forget", "clean")
        )

    async def get(self, owner: Scope, key: bytes) -> CacheEntry | None:
        """Give what is kept and has not expired."""
        with _translated_errors():
            kept: bytes | None = await self._redis.get(_place(owner) + key)
        if kept is None:
            return None
        expires_at, cost_seconds, version = HEADER.unpack_from(kept)
        if expires_at <= self._clock.now().timestamp():
            return None
        return CacheEntry(kept[HEADER.size :], expires_at, cost_seconds, None if version == NO_VERSION else version)

    async def put(self, owner: Scope, key: bytes, entry: CacheEntry) -> None:
        """Keep a value, unless it is too large; what expires first makes room."""
        if len(entry.value) > LARGEST_VALUE:
            return
        version = NO_VERSION if entry.version is None else entry.version
        value = HEADER.pack(entry.expires_at, entry.cost_seconds, version) + entry.value
        milliseconds = max(1, round(self.lifetime_seconds * 1_000))
        with _translated_errors():
            await self._keep(
                keys=[_place(owner) + key, INDEX],
                args=[value, milliseconds, self._maximum_keys, entry.expires_at],
            )

    async def forget(self, owner: Scope) -> None:
        """Drop all of an owner's values."""
        with _translated_errors():
            await self._forget(keys=[INDEX], args=[_place(owner)])

    async def clean(self) -> CacheSize:
        """Drop what has expired, and say what is left."""
        with _translated_errors():
            entries, nbytes = await self._clean(keys=[INDEX], args=[self._clock.now().timestamp()])
        return CacheSize(entries, nbytes)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _place(owner: Scope) -> bytes:
    return PREFIX + owner.digest


def _script(name: str) -> str:
    return (resources.files(__package__ or __name__) / "scripts" / f"{name}.lua").read_text("utf-8")


@contextmanager
def _translated_errors() -> Generator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise UnavailableError(f"Redis does not answer: {error}.") from error
