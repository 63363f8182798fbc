"""What a token says, and whether it may be believed here and now (RFC 7519, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from pronoia.domain.errors import InvalidInputError
from pronoia.domain.principals import ProvidedUser
from pronoia.domain.roles import PERMISSIONS, Role
from pronoia.services.drafts import check_name
from pronoia.services.identity.refusals import Refusal, TokenRefusedError

if TYPE_CHECKING:
    from pronoia.domain.records import Permission
    from pronoia.services.identity.providers import IdentityProvider

Text = Annotated[str, Meta(min_length=1)]


class _Required(Struct):
    """What every token must say. Times are seconds since 1970."""

    iss: Text
    sub: Text
    aud: Text | list[Text]
    exp: float
    iat: float
    nbf: float | None = None


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """How far a provider's clock may be from ours, and how long a token may live; in seconds."""

    leeway: float = 30.0
    longest_life: float = 86_400.0


def check_claims(claims: dict[str, Any], provider: IdentityProvider, policy: TokenPolicy, now: float) -> None:
    """Refuse what is not by this provider, for us, and for now. Raises TokenRefusedError."""
    required = _required(claims)
    audiences = [required.aud] if isinstance(required.aud, str) else required.aud
    if required.iss != provider.issuer:
        raise TokenRefusedError(Refusal.ISSUER)
    if provider.audience not in audiences:
        raise TokenRefusedError(Refusal.AUDIENCE)
    if required.exp + policy.leeway <= now:
        raise TokenRefusedError(Refusal.EXPIRED)
    if max(required.iat, required.nbf or 0.0) - policy.leeway > now:
        raise TokenRefusedError(Refusal.NOT_YET)
    if not 0 < required.exp - required.iat <= policy.longest_life:
        raise TokenRefusedError(Refusal.LIFETIME)


def user_of(claims: dict[str, Any], name: str, provider: IdentityProvider) -> ProvidedUser:
    """Give whom checked claims name, under the provider called `name`. Raises TokenRefusedError."""
    return ProvidedUser(
        id=f"{name}/{_name(claims['sub'])}",
        organisation_id=provider.organisation,
        user_id=_name(claims.get(provider.user_claim)),
        permissions=_permissions(claims.get(provider.role_claim, Role.MEMBER)),
        plan=provider.plan,
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
    )


def _required(claims: dict[str, Any]) -> _Required:
    try:
        return msgspec.convert(claims, _Required)
    except msgspec.ValidationError as error:
        raise TokenRefusedError(Refusal.CLAIMS) from error


def _name(claim: object) -> str:
    if not isinstance(claim, str):
        raise TokenRefusedError(Refusal.USER)
    try:
        check_name(claim, "user_id")
    except InvalidInputError as error:
        raise TokenRefusedError(Refusal.USER) from error
    return claim


def _permissions(claim: object) -> frozenset[Permission]:
    """Read a role, or a list of them; one that is unknown here spoils all, for it may be meant as a limit."""
    try:
        roles = msgspec.convert([claim] if isinstance(claim, str) else claim, Annotated[list[Role], Meta(min_length=1)])
    except msgspec.ValidationError as error:
        raise TokenRefusedError(Refusal.ROLE) from error
    return frozenset(permission for role in roles for permission in PERMISSIONS[role])
