"""What is known about a request when it is over, and who is told."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from pronoia.domain.principals import Principal
    from pronoia.ports.telemetry import Meter, Telemetry
    from pronoia.services.rate_limiter import Usage

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
UNROUTED = "unrouted"
TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})
HOUR_SECONDS = 3600
DAY_HOURS = 24
CLIENT_GONE = 499
"""The status, as NGINX writes it, of a request that nobody waited for."""


class RequestObserver(Protocol):
    """Hears of each request when it is over: the route's template, and how long its answer took."""

    def __call__(self, route: str, method: str, status: int, seconds: float) -> None: ...


@dataclass(slots=True)
class Exchange:
    """One request and its answer; those who handle it fill in what they learn."""

    request_id: str
    method: str
    route: str = UNROUTED
    """The template of the route, never the path: paths have no bound, and may hold what is nobody's business."""
    principal: Principal | None = None
    """Whose request it is, once that is proved."""
    user_id: str | None = None
    usage: Usage | None = None
    """The tightest budget that the request was charged to."""
    status: int = CLIENT_GONE
    error_code: str | None = None
    received_bytes: int = 0
    sent_bytes: int = 0


class RequestWatch:
    """Counts, logs and traces every request, and tells the observers of it."""

    def __init__(
        self,
        telemetry: Telemetry,
        observers: Sequence[RequestObserver] = (),
        monotonic: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._meter = telemetry.meter
        self._tracing = telemetry.tracing
        self._observers = (*observers, RecentErrors(telemetry.meter).observe)
        self._monotonic = monotonic
        self._in_flight = 0
        # Bound once: a logger that finds its configuration at every line takes longer than all that is counted.
        self._log = structlog.get_logger(__name__).bind()

    @contextmanager
    def watching(self, exchange: Exchange, headers: Iterable[tuple[bytes, bytes]]) -> Generator[None]:
        """Watch a request until it is answered, refused or given up."""
        self._enter(1)
        started = self._monotonic()
        try:
            with self._tracing.span(exchange.method, _trace_headers(headers)) as span:
                try:
                    yield
                finally:
                    span.describe(
                        f"{exchange.method} {exchange.route}",
                        **{
                            "http.request.method": exchange.method,
                            "http.route": exchange.route,
                            "http.response.status_code": exchange.status,
                            "request.id": exchange.request_id,
                        },
                    )
        finally:
            self._enter(-1)
            self._record(exchange, self._monotonic() - started)

    def _enter(self, number: int) -> None:
        self._in_flight += number
        self._meter.set("http_requests_in_flight", self._in_flight)

    def _record(self, exchange: Exchange, seconds: float) -> None:
        meter, route, method = self._meter, exchange.route, exchange.method
        status = str(exchange.status)
        meter.observe("http_request_duration_seconds", seconds, method=method, route=route, status_code=status)
        meter.count("http_requests_total", method=method, route=route, status_code=status)
        if exchange.error_code is not None:
            meter.count("http_request_errors_total", method=method, route=route, error_code=exchange.error_code)
        meter.count("http_request_bytes_total", exchange.received_bytes, route=route)
        meter.count("http_response_bytes_total", exchange.sent_bytes, route=route)
        for observe in self._observers:
            observe(route, method, exchange.status, seconds)
        self._log.info(
            "request.answered",
            request_id=exchange.request_id,
            user_id=exchange.user_id,
            method=method,
            route=route,
            status_code=exchange.status,
            duration_ms=round(1000 * seconds, 2),
        )


class RecentErrors:
    """Counts our own failures of the last 24 hours, by the hour. A scrape is a request and lets the old ones go."""

    def __init__(self, meter: Meter, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._monotonic = monotonic
        self._hours: dict[int, int] = {}
        self._hour = -1

    def observe(self, _route: str, _method: str, status: int, _seconds: float) -> None:
        """Hear of a request."""
        hour = int(self._monotonic() // HOUR_SECONDS)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and hour == self._hour:
            return
        self._hour = hour
        self._hours = {one: count for one, count in self._hours.items() if one > hour - DAY_HOURS}
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._hours[hour] = self._hours.get(hour, 0) + 1
        self._meter.set("errors_24h", sum(self._hours.values()))


def _trace_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in TRACE_HEADERS}


def exchange_of(scope: Mapping[str, object]) -> Exchange:
    """Give the exchange that the outermost layer began."""
    state: Mapping[str, Exchange] = scope["state"]  # pyright: ignore[reportAssignmentType] - ASGI's free-form state
    return state["exchange"]


def known_method(method: str) -> str:
    """Give the method, or one name for all that no route has: clients may invent any number of them."""
    return method if method in METHODS else "OTHER"
