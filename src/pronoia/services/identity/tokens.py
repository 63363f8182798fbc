"""Tokens of identity providers: recognised, checked, and turned into who calls."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import InvalidTokenError
from pronoia.domain.identifiers import Scope
from pronoia.domain.permissions import bounded
from pronoia.resilience.cache import ExpiringStore
from pronoia.services.identity.claims import check_claims, user_of
from pronoia.services.identity.compact import read_object, read_token
from pronoia.services.identity.key_ring import PAUSE_SECONDS
from pronoia.services.identity.refusals import Refusal, TokenRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pronoia.domain.organisations import Standing
    from pronoia.domain.principals import ProvidedUser
    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter
    from pronoia.services.identity.claims import TokenPolicy
    from pronoia.services.identity.key_ring import KeyRing
    from pronoia.services.identity.providers import IdentityProvider

log = structlog.get_logger(__name__)

DOTS = 2
LOOK_SECONDS = PAUSE_SECONDS / 4
PROVED_SECONDS = 3_600.0
"""Whoever proved a token so lately is no stranger, though it is checked again each time."""
PROVED_TOKENS = 10_000
PROVED_BYTES = 300
"""What such a token takes in memory, with room."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    provider: IdentityProvider
    keys: KeyRing


class Tokens:
    """Authenticates users of the providers that the operator trusts.

    What a provider revokes is not heard of here: a token works until it expires, or the organisation revokes it. A
    token with more life than the policy allows is refused.
    """

    def __init__(self, *, issuers: Sequence[TrustedIssuer], policy: TokenPolicy, clock: Clock, meter: Meter) -> None:
        self._issuers = {one.provider.issuer: one for one in issuers}
        self._policy = policy
        self._clock = clock
        self._meter = meter
        self._proved: ExpiringStore[bytes, bool] = ExpiringStore(
            maximum_keys=PROVED_TOKENS, maximum_bytes=PROVED_TOKENS * PROVED_BYTES, now=clock.monotonic
        )

    def are_like(self, text: str) -> bool:
        """Whether a text has a token's form, where tokens are believed at all."""
        return bool(self._issuers) and text.count(".") == DOTS

    def knows(self, text: str) -> bool:
        """Whether a token proved itself in this process lately. It may have expired since."""
        return self._proved.get(_digest(text)) is not None

    async def authenticate(self, text: str, standing_of: Callable[[Scope], Awaitable[Standing]]) -> ProvidedUser:
        """Give the user whom a token vouches for, with what their standing in the organisation leaves them.

        Raises InvalidTokenError, or IdentityUnavailableError if the provider's keys are not known.
        """
        try:
            proved = await self._verify(text)
            user = _bounded(proved, await standing_of(Scope(proved.organisation_id, proved.user_id)))
        except TokenRefusedError as error:
            self._meter.count("identity_tokens_total", outcome=error.refusal)
            log.info("token.refused", reason=error.refusal)
            raise InvalidTokenError("Invalid or expired token.") from None
        self._meter.count("identity_tokens_total", outcome="accepted")
        self._proved.put(_digest(text), True, size=PROVED_BYTES, expires_at=self._clock.monotonic() + PROVED_SECONDS)
        return user

    async def run(self) -> None:
        """Keep the keys of all providers fresh until cancelled. No request waits for that."""
        while True:
            await asyncio.gather(*(one.keys.refresh() for one in self._issuers.values()))
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Close the ways to the providers."""
        for one in self._issuers.values():
            await one.keys.close()

    async def _verify(self, text: str) -> ProvidedUser:
        """Check what costs little first: only a token that is right but for its key makes a provider be asked."""
        token = read_token(text)
        claims = read_object(token.payload)
        issuer = claims.get("iss")
        trusted = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if trusted is None:
            raise TokenRefusedError(Refusal.ISSUER)
        check_claims(claims, trusted.provider, self._policy, self._clock.now().timestamp())
        key = await trusted.keys.find(token.key_id)
        if key is None:
            raise TokenRefusedError(Refusal.KEY)
        if token.algorithm != key.algorithm:
            raise TokenRefusedError(Refusal.ALGORITHM)
        if not key.verifies(token.signed, token.signature):
            raise TokenRefusedError(Refusal.SIGNATURE)
        return user_of(claims, trusted.keys.name, trusted.provider)


def _bounded(user: ProvidedUser, standing: Standing) -> ProvidedUser:
    if standing.tokens_not_before is not None and user.issued_at <= standing.tokens_not_before:
        raise TokenRefusedError(Refusal.REVOKED)
    return replace(user, permissions=bounded(user.permissions, standing.role))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
