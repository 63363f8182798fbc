"""What a call can end in. Every error carries what the server said, under names that do not change."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class PronoiaError(Exception):
    """Base of everything a call raises.

    `code` is the server's stable word for machines, `message` its sentence for people, `details` the facts (field,
    limit and so on), `request_id` what to quote to an operator, `status` the HTTP status (None if no answer came),
    `retry_after` the seconds the server asked to wait (None if it did not say).
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int | None = None,
        details: Mapping[str, object] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.details: Mapping[str, object] = details or {}
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        facts = (("status", self.status), ("code", self.code), ("request", self.request_id))
        known = ", ".join(f"{name} {value}" for name, value in facts if value)
        return f"{self.message} ({known})" if known else self.message


class ConnectionFailedError(PronoiaError):
    """No answer came: the server could not be reached, broke off, or took too long."""


class UnexpectedAnswerError(PronoiaError):
    """An answer came that is not Pronoia's: a redirect, a page of a proxy, a body without the promised fields."""


class ValidationError(PronoiaError):
    """The request is wrong and has to be changed (400, 413, 422); `details` names the field and its limit."""


class AuthenticationError(PronoiaError):
    """The key is missing, malformed, unknown or revoked (401)."""


class PermissionDeniedError(PronoiaError):
    """The key may not do this (403)."""


class NotFoundError(PronoiaError):
    """Unknown, or another user's: the server does not tell the two apart (404)."""


class ConflictError(PronoiaError):
    """The idempotency key was used before for another request (409)."""


class RateLimitError(PronoiaError):
    """Too many requests (429); `retry_after` says when to come back."""


class ServerError(PronoiaError):
    """The server failed or is too busy (5xx)."""


_BY_STATUS: dict[int, type[PronoiaError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: ValidationError,
    422: ValidationError,
    429: RateLimitError,
}


class _NestedError(msgspec.Struct, rename="camel"):
    code: str = ""
    message: str = ""
    details: dict[str, object] | None = None
    request_id: str | None = None


class _ErrorBody(msgspec.Struct, rename="camel"):
    error: str | _NestedError = ""
    message: str = ""
    code: str = ""
    details: dict[str, object] | None = None
    request_id: str | None = None


def error_from_answer(
    status: int, body: bytes, *, request_id: str | None = None, retry_after: float | None = None
) -> PronoiaError:
    """Make the error of an answer that is not a success, whatever made it: Pronoia or a proxy before it."""
    if status < HTTPStatus.BAD_REQUEST:
        return UnexpectedAnswerError(
            "The answer is neither a result nor an error; is base_url right?", status=status, request_id=request_id
        )
    kind = _BY_STATUS.get(status, ServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else PronoiaError)
    try:
        said = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = _ErrorBody()
    nested = said.error if isinstance(said.error, _NestedError) else _NestedError()
    phrase = said.error if isinstance(said.error, str) else ""
    return kind(
        said.message or nested.message or phrase or _reason_phrase(status),
        code=said.code or nested.code,
        status=status,
        details=said.details or nested.details,
        request_id=said.request_id or nested.request_id or request_id,
        retry_after=retry_after,
    )


def _reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP status {status}"
