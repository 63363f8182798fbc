"""LimitStore on Redis or Valkey, for processes of several hosts. Needs the extra `redis`."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol, cast

from pronoia.domain.errors import ConfigurationError, StoreUnavailableError
from pronoia.ports.limit_store import CellGrant

try:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError
except ImportError as error:
    raise ConfigurationError("PRONOIA_CACHE_URL needs the extra: pip install 'pronoia[redis]'.") from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.ports.limit_store import CellClaim

# One hash slot for all keys: a script may only touch keys of one.
PREFIX = b"{pronoia}:limits:"
CONNECTIONS = 32


class _Script(Protocol):
    async def __call__(self, keys: Sequence[bytes], args: Sequence[float]) -> list[tuple[bytes, bytes, bytes]]: ...


class RedisLimitStore:
    """Takes cells of all claims in one script, on the server's clock. What is full expires by itself."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """Connect at the first use. Raises ConfigurationError for what is no URL of Redis."""
        try:
            self._redis: Any = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
                url,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                max_connections=CONNECTIONS,
                retry=None,
            )
        except ValueError as error:
            raise ConfigurationError(f"PRONOIA_CACHE_URL: {error}.") from error
        script = resources.files("pronoia.adapters.redis").joinpath("scripts", "take_cells.lua").read_text("utf-8")
        self._take = cast("_Script", self._redis.register_script(script))

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
        except (RedisError, OSError) as error:
            raise StoreUnavailableError(f"Redis does not answer: {error}.") from error
        return [CellGrant(float(cells), float(backlog), float(total)) for cells, backlog, total in answers]

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
