"""LimitStore on Redis or Valkey; not on Redis Cluster, which wants all keys of a call on one node."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Protocol, cast

from pronoia.domain.errors import ConfigurationError, StoreUnavailableError
from pronoia.ports import CellGrant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.ports import CellClaim

PREFIX = b"pronoia:limit:"
CONNECTIONS = 10


class _Script(Protocol):
    async def __call__(self, keys: Sequence[bytes], args: Sequence[float]) -> list[tuple[bytes, bytes, bytes]]: ...


class RedisLimitStore:
    """Takes cells of all claims in one script, on the server's clock. What is full expires by itself."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """Connect when first used. Raises ConfigurationError for a wrong URL or without the extra `redis`."""
        try:
            from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - an extra
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError("PRONOIA_CACHE_URL needs the extra: pip install 'pronoia[redis]'.") from error
        try:
            pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
                url,
                max_connections=CONNECTIONS,
                timeout=timeout_seconds,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise ConfigurationError(f"PRONOIA_CACHE_URL is wrong: {error}.") from error
        self._client = Redis.from_pool(pool)
        self._failure = RedisError
        script = resources.files("pronoia.adapters.redis").joinpath("take_cells.lua").read_text("utf-8")
        self._take = cast("_Script", self._client.register_script(script))

    async def take(self, claims: Sequence[CellClaim]) -> list[CellGrant]:
        """Take cells of several keys, each by itself. Raises StoreUnavailableError."""
        keys = [PREFIX + claim.organisation_id.bytes + claim.key for claim in claims]
        numbers = [
            number
            for claim in claims
            for number in (claim.interval_seconds, claim.limit, claim.wanted, claim.minimum, claim.returned)
        ]
        try:
            answers = await self._take(keys=keys, args=numbers)
        except (self._failure, OSError) as error:
            raise StoreUnavailableError(f"Redis does not answer: {error}.") from error
        return [CellGrant(float(cells), float(backlog), float(total)) for cells, backlog, total in answers]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
