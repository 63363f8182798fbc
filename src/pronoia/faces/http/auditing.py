"""Who acts in a request, and which answers are refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from pronoia.domain.audit import ANONYMOUS, Actor, AuditAction
from pronoia.domain.errors import (
    ForbiddenError,
    InvalidCredentialError,
    InvalidTokenError,
    MissingCredentialError,
    NotFoundError,
    RateLimitedError,
)
from pronoia.domain.principals import ProvidedUser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pronoia.domain.principals import Principal
    from pronoia.faces.http.watch import Exchange
    from pronoia.services.audit.audit import Audit

REFUSALS: Mapping[str | None, AuditAction] = {
    MissingCredentialError.code: AuditAction.ACCESS_REFUSED,
    InvalidCredentialError.code: AuditAction.ACCESS_REFUSED,
    InvalidTokenError.code: AuditAction.ACCESS_REFUSED,
    ForbiddenError.code: AuditAction.ACCESS_REFUSED,
    NotFoundError.code: AuditAction.ACCESS_REFUSED,
    RateLimitedError.code: AuditAction.RATE_LIMITED,
}
"""What is another's is answered as what is not there, so that is told too."""


def actor_of(exchange: Exchange) -> Actor:
    """Say who acts, once that is known."""
    if exchange.principal is None:
        return ANONYMOUS
    return Actor(_name(exchange.principal), _route(exchange), _own_form(exchange.request_id))


def _name(principal: Principal) -> str:
    """Name the key, or the provider that vouches for a user: the user's own name may not be kept."""
    if isinstance(principal, ProvidedUser):
        return f"provider:{principal.provider}"
    return f"key:{principal.id}"


def note_refusal(exchange: Exchange, audit: Audit) -> None:
    """Tell the audit log if the answer was a refusal."""
    action = REFUSALS.get(exchange.error_code)
    if action is not None:
        organisation_id = None if exchange.principal is None else exchange.principal.organisation_id
        actor, code = actor_of(exchange).name, exchange.error_code or ""
        audit.refused(organisation_id, action, actor=actor, route=_route(exchange), code=code)


def _route(exchange: Exchange) -> str:
    return f"{exchange.method} {exchange.route}"


def _own_form(request_id: str) -> str | None:
    """Keep only an UUID: a caller could call a request by somebody's name, or by a secret."""
    try:
        return str(UUID(request_id))
    except ValueError:
        return None
