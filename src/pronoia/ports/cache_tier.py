"""Answers that were given before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pronoia.domain.identifiers import Scope


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What a cache tier keeps."""

    value: bytes
    expires_at: float
    """Seconds since the epoch."""
    cost_seconds: float = 0.0
    """What making it took."""
    version: int | None = None
    """Of its owner's memory, that it reflects; None if it reflects none."""


@dataclass(frozen=True, slots=True)
class CacheSize:
    entries: int
    nbytes: int


class CacheTier(Protocol):
    """Keeps values of users that can always be made again. Raises UnavailableError when it does not answer.

    An owner without a name is the organisation as a whole. No value is ever found by another owner.
    """

    @property
    def name(self) -> str: ...

    @property
    def lifetime_seconds(self) -> float: ...

    @property
    def clean_seconds(self) -> float:
        """Say how often to clean."""
        ...

    async def get(self, owner: Scope, key: bytes) -> CacheEntry | None:
        """Give what is kept and has not expired."""
        ...

    async def put(self, owner: Scope, key: bytes, entry: CacheEntry) -> None:
        """Keep a value, unless it is too large, or the owner's memory is known to have moved on from its version."""
        ...

    async def forget(self, owner: Scope) -> None:
        """Drop all of an owner's values."""
        ...

    async def clean(self) -> CacheSize:
        """Drop what has expired and what is beyond the bounds, and say what is left."""
        ...

    async def close(self) -> None: ...
