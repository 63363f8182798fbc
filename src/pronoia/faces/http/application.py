"""Puts the HTTP face together."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Request, Response
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException

from pronoia.config import networks_of
from pronoia.domain.errors import InvalidInputError, PronoiaError
from pronoia.faces.http.entrances import Entrances
from pronoia.faces.http.errors import MethodNotAllowedError, RouteNotFoundError, error_answer
from pronoia.faces.http.middleware import Boundary
from pronoia.faces.http.operation import Surroundings, route
from pronoia.faces.http.routes import (
    audit,
    context,
    health,
    insights,
    keys,
    learning,
    maintenance,
    memories,
    metrics,
    monitoring,
    organisation,
    predict,
    projects,
    quarantine,
    rate_limit,
    relationships,
    search,
    subjects,
    suggest,
    users,
)
from pronoia.faces.http.routes.documentation import documentation
from pronoia.faces.http.watch import RequestWatch, exchange_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from litestar.types import ASGIApp

    from pronoia.config import Settings
    from pronoia.faces.http.operation import AnyOperation
    from pronoia.faces.http.watch import RequestObserver
    from pronoia.ports.telemetry import Telemetry
    from pronoia.services.services import Services

OPERATIONS: tuple[AnyOperation, ...] = (
    *health.OPERATIONS,
    *memories.OPERATIONS,
    *insights.OPERATIONS,
    *learning.OPERATIONS,
    *search.OPERATIONS,
    *context.OPERATIONS,
    *predict.OPERATIONS,
    *suggest.OPERATIONS,
    *relationships.OPERATIONS,
    *maintenance.OPERATIONS,
    *rate_limit.OPERATIONS,
    *metrics.OPERATIONS,
    *monitoring.OPERATIONS,
    *audit.OPERATIONS,
    *organisation.OPERATIONS,
    *keys.OPERATIONS,
    *projects.OPERATIONS,
    *users.OPERATIONS,
    *quarantine.OPERATIONS,
    *subjects.OPERATIONS,
)
CORS_SECONDS = 86_400
PARAMETER = re.compile(r"\{\w+\}")


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_http_app(
    services: Services,
    settings: Settings,
    now: Callable[[], datetime] = utc_now,
    *,
    telemetry: Telemetry,
    observers: Sequence[RequestObserver] = (),
) -> ASGIApp:
    """Make the ASGI application. It starts and stops nothing: services come ready and are closed by who made them.

    Each of `observers` hears of every request when it is over.
    """
    surroundings = Surroundings(services, settings, telemetry, now, networks_of(settings.trusted_proxies))
    operations = (*OPERATIONS, *documentation(OPERATIONS))
    app = Litestar(
        route_handlers=[route(operation, surroundings) for operation in operations],
        exception_handlers={PronoiaError: _refuse, HTTPException: _refuse_route, Exception: _pass_on},
        cors_config=_cors(settings),
        openapi_config=None,
        logging_config=None,
    )
    return Boundary(app, surroundings, RequestWatch(telemetry, observers), Entrances(operations))


def _refuse(request: Request[Any, Any, Any], error: PronoiaError) -> Response[bytes]:
    exchange = exchange_of(request.scope)
    exchange.error_code = error.code
    answer = error_answer(error, exchange.request_id)
    return Response(answer.body, status_code=answer.status, headers=answer.headers, media_type="application/json")


def _refuse_route(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return _refuse(request, RouteNotFoundError("There is no such route. See /docs."))
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return _refuse(
                request, MethodNotAllowedError("This route has no such method.", allow=_allowed(request.url.path))
            )
        case status if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return _refuse(request, InvalidInputError("The request is malformed.", field="request"))
        case _:
            raise error


def _pass_on(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Leave what nobody foresaw to the outermost layer, which logs it and answers without its details."""
    raise error


def _allowed(path: str) -> str:
    found = {one.method for one in OPERATIONS if _matches(one.path, path)}
    return ", ".join(sorted(found)) or "GET"


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(PARAMETER.sub("[^/]+", template), path.rstrip("/") or "/") is not None


def _cors(settings: Settings) -> CORSConfig | None:
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    if not origins:
        return None
    return CORSConfig(
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=[
            "Content-Type",
            "Authorization",
            "X-API-Key",
            "X-Service-Token",
            "X-User-ID",
            "X-Request-ID",
            "X-Memory-Version",
            "Idempotency-Key",
        ],
        expose_headers=[
            "X-Request-ID",
            "X-Memory-Version",
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "X-RateLimit-Reset",
            "Retry-After",
        ],
        # A wildcard with credentials would hand every site the caller's authority.
        allow_credentials="*" not in origins,
        max_age=CORS_SECONDS,
    )
