"""What is known about a request when it is over, and who is told."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from pronoia.ports import Meter

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
UNROUTED = "unrouted"
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
    user_id: str | None = None
    status: int = CLIENT_GONE
    error_code: str | None = None
    received_bytes: int = 0
    sent_bytes: int = 0


class RequestWatch:
    """Counts every request, and tells the observers of it."""

    def __init__(
        self,
        meter: Meter,
        observers: Sequence[RequestObserver] = (),
        monotonic: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._meter = meter
        self._observers = observers
        self._monotonic = monotonic
        self._in_flight = 0

    @contextmanager
    def watching(self, exchange: Exchange) -> Generator[None]:
        """Watch a request until it is answered, refused or given up."""
        self._enter(1)
        started = self._monotonic()
        try:
            yield
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


def exchange_of(scope: Mapping[str, object]) -> Exchange:
    """Give the exchange that the outermost layer began."""
    state: Mapping[str, Exchange] = scope["state"]  # pyright: ignore[reportAssignmentType] - ASGI's free-form state
    return state["exchange"]


def known_method(method: str) -> str:
    """Give the method, or one name for all that no route has: clients may invent any number of them."""
    return method if method in METHODS else "OTHER"
