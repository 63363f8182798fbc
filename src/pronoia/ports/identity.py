"""The keys by which identity providers sign tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class VerificationKey(Protocol):
    """A public key, and the one algorithm that it is for."""

    @property
    def id(self) -> str: ...

    @property
    def algorithm(self) -> str:
        """Name it as tokens do: RS256, ES256 or EdDSA. It follows from the key, never from a token."""
        ...

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Say whether a signature of these bytes was made with this key."""
        ...


class KeySource(Protocol):
    """Where a provider publishes its keys."""

    async def fetch(self) -> Sequence[VerificationKey]:
        """Give all keys that are published now, at least one. Raises IdentityUnavailableError."""
        ...

    async def close(self) -> None: ...
