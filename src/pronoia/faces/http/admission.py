"""Who calls, whose memory it is about, and what the request's own headers promise."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pronoia.domain.errors import ForbiddenError, InvalidInputError, MissingFieldError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Idempotency, Permission
from pronoia.services.drafts import check_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pronoia.domain.principals import Principal

MAXIMUM_IDEMPOTENCY_KEY = 255
VERSION = re.compile(r"[0-9]{1,18}")
PRINTABLE = re.compile(r"[\x20-\x7e]+")


def secret(headers: Mapping[str, str]) -> str | None:
    """Read the text that should be a key or a token."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token if scheme.lower() == "bearer" else ""
    for candidate in (headers.get("x-service-token"), bearer, headers.get("x-api-key")):
        if candidate and candidate.strip():
            return candidate.strip()
    return None


def check_permission(principal: Principal, permission: Permission | None) -> None:
    """Raise ForbiddenError if the caller may not do this."""
    if (
        permission is not None
        and permission not in principal.permissions
        and Permission.ADMIN not in principal.permissions
    ):
        raise ForbiddenError(f"This caller lacks the scope {permission.value}.", permission=permission.value)


def resolve_scope(principal: Principal, names: list[str | None]) -> Scope:
    """Give the user a request is about: the credential's own, or the one that a service key's caller names.

    What the credential of one user names is ignored: published clients name users of their own.
    """
    if principal.user_id is not None:
        return Scope(principal.organisation_id, principal.user_id)
    named = {name for name in names if name}
    if not named:
        raise MissingFieldError("user_id is required for service token requests", field="user_id")
    if len(named) > 1:
        raise InvalidInputError("The request names two different users.", field="user_id")
    user = named.pop()
    check_name(user, "user_id")
    return Scope(principal.organisation_id, user)


def user_header(headers: Mapping[str, str]) -> str | None:
    value = headers.get("x-user-id")
    if value is None or not value.strip():
        return None
    try:
        # Headers arrive as Latin-1; a client that could not fit the name in ASCII sent UTF-8.
        return value.strip().encode("latin-1").decode()
    except UnicodeError as error:
        raise InvalidInputError("X-User-ID is not UTF-8.", field="X-User-ID") from error


def minimum_version(headers: Mapping[str, str]) -> int | None:
    """Read the version of the user's memory that the caller has already seen."""
    value = headers.get("x-memory-version")
    if value is None:
        return None
    if not VERSION.fullmatch(value):
        raise InvalidInputError("X-Memory-Version must be a whole number.", field="X-Memory-Version")
    return int(value)


def idempotency(headers: Mapping[str, str], method: str, path: str, body: bytes) -> Idempotency | None:
    """Read the caller's promise that requests with this key are the same request."""
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if len(key) > MAXIMUM_IDEMPOTENCY_KEY or not PRINTABLE.fullmatch(key):
        raise InvalidInputError(
            f"Idempotency-Key must be 1 to {MAXIMUM_IDEMPOTENCY_KEY} printable ASCII characters.",
            field="Idempotency-Key",
            limit=MAXIMUM_IDEMPOTENCY_KEY,
        )
    request = b"\0".join((method.encode(), path.encode(errors="surrogatepass"), body))
    return Idempotency(key, hashlib.sha256(request).digest())
