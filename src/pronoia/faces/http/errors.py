"""How each error looks on the wire: one table, two shapes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.errors import (
    AlreadyExistsError,
    ForbiddenError,
    IdempotencyConflictError,
    InvalidCredentialError,
    InvalidInputError,
    MissingCredentialError,
    NotFoundError,
    PayloadTooLargeError,
    PronoiaError,
    RateLimitedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRY_AFTER_SECONDS = 1


class RouteNotFoundError(PronoiaError):
    code = "ROUTE_NOT_FOUND"


class MethodNotAllowedError(PronoiaError):
    code = "METHOD_NOT_ALLOWED"


class RequestTimeoutError(PronoiaError):
    """The request did not arrive in time."""

    code = "REQUEST_TIMEOUT"


@dataclass(frozen=True, slots=True)
class Shape:
    """`nested`: `error` is an object, as middleware answers; else the reason phrase, as routes answer."""

    status: HTTPStatus
    nested: bool


TABLE: Mapping[type[PronoiaError], Shape] = {
    InvalidInputError: Shape(HTTPStatus.BAD_REQUEST, nested=False),
    ForbiddenError: Shape(HTTPStatus.FORBIDDEN, nested=False),
    NotFoundError: Shape(HTTPStatus.NOT_FOUND, nested=False),
    IdempotencyConflictError: Shape(HTTPStatus.CONFLICT, nested=False),
    AlreadyExistsError: Shape(HTTPStatus.CONFLICT, nested=False),
    MissingCredentialError: Shape(HTTPStatus.UNAUTHORIZED, nested=True),
    InvalidCredentialError: Shape(HTTPStatus.UNAUTHORIZED, nested=True),
    RouteNotFoundError: Shape(HTTPStatus.NOT_FOUND, nested=True),
    MethodNotAllowedError: Shape(HTTPStatus.METHOD_NOT_ALLOWED, nested=True),
    RequestTimeoutError: Shape(HTTPStatus.REQUEST_TIMEOUT, nested=True),
    PayloadTooLargeError: Shape(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, nested=True),
    RateLimitedError: Shape(HTTPStatus.TOO_MANY_REQUESTS, nested=True),
    UnavailableError: Shape(HTTPStatus.SERVICE_UNAVAILABLE, nested=True),
    PronoiaError: Shape(HTTPStatus.INTERNAL_SERVER_ERROR, nested=True),
}


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


def error_answer(error: PronoiaError, request_id: str) -> ErrorAnswer:
    """Write an error with its facts. An unforeseen one, a bare PronoiaError, says nothing of its cause."""
    shape = next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
    facts: dict[str, object] = {
        "code": error.code,
        "message": error.message,
        "requestId": request_id,
        "timestamp": datetime.now(UTC),
    }
    if error.details:
        facts["details"] = dict(error.details)
    if shape.status is HTTPStatus.TOO_MANY_REQUESTS:
        # Documented in `details` and beside the message.
        facts.update(error.details)
    body = {"error": facts if shape.nested else shape.status.phrase, **facts}
    return ErrorAnswer(int(shape.status), _headers(error, shape.status), msgspec.json.encode(body))


def _headers(error: PronoiaError, status: HTTPStatus) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    match status:
        case HTTPStatus.SERVICE_UNAVAILABLE:
            headers["retry-after"] = str(error.details.get("retry_after", RETRY_AFTER_SECONDS))
        case HTTPStatus.TOO_MANY_REQUESTS:
            headers["retry-after"] = str(error.details["retryAfter"])
        case HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = "Bearer"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            headers["allow"] = str(error.details.get("allow", ""))
        case _:
            pass
    return headers
