"""Who acts in a request, and which answers are refusals."""

from __future__ import annotations

from dataclasses import replace
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
    """Say who acts, as far as it is proved."""
    route, request_id = f"{exchange.method} {exchange.route}", _own_form(exchange.request_id)
    match exchange.principal:
        case None:
            return Actor(ANONYMOUS, route=route, request_id=request_id)
        case ProvidedUser(id=id_, user_id=user_id):
            return Actor(f"token:{id_.partition('/')[0]}", user_id, route, request_id)
        case principal:
            return Actor(f"key:{principal.id}", route=route, request_id=request_id)


def note_refusal(exchange: Exchange, audit: Audit) -> None:
    """Tell the audit log if the answer was a refusal."""
    action = REFUSALS.get(exchange.error_code)
    if action is not None:
        organisation_id = None if exchange.principal is None else exchange.principal.organisation_id
        actor = replace(actor_of(exchange), request_id=None)
        audit.refused(organisation_id, action, actor=actor, code=exchange.error_code or "")


def _own_form(request_id: str) -> str | None:
    """Keep only an UUID: a caller could call a request by somebody's name, or by a secret."""
    try:
        return str(UUID(request_id))
    except ValueError:
        return None
