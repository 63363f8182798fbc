"""What is told of a request when it is over."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import httpx2
import pytest
from calm import NO_RATE_LIMITS, UNTOLD, calm_resilience

from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.config import Settings
from pronoia.domain.errors import InvalidCredentialError, MissingCredentialError
from pronoia.faces.http.application import create_http_app
from pronoia.testing.meter import RecordingMeter, series


class NoKeys:
    def knows(self, _):
        return False

    async def authenticate(self, text):
        if text is None:
            raise MissingCredentialError("A key is needed.")
        raise InvalidCredentialError("Unknown key.")


class Broken:
    async def check(self):
        raise ZeroDivisionError


SERVICES = SimpleNamespace(
    authentication=NoKeys(), health=Broken(), resilience=calm_resilience(), limits=NO_RATE_LIMITS, audit=UNTOLD
)


def watched(settings=None):
    meter, heard = RecordingMeter(), []
    app = create_http_app(
        SERVICES,
        settings or Settings(),
        telemetry=replace(open_telemetry(), meter=meter),
        observers=[lambda *told: heard.append(told)],
    )
    return app, meter, heard


def ask(app, method, path, **request):
    async def send():
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://server") as http:
            return await http.request(method, path, **request)

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/health", ("/health", "GET", 200)),
        ("GET", "/api/v1/memories/0190", ("/api/v1/memories/{memory_id}", "GET", 401)),
        ("GET", "/health/ready", ("/health/ready", "GET", 500)),
        ("GET", "/any/of/very/many", ("unrouted", "GET", 404)),
        ("BREW", "/health", ("unrouted", "OTHER", 405)),
    ],
)
def test_observers_hear_of_route_method_and_status(method, path, told):
    app, _, heard = watched()
    ask(app, method, path, headers={"X-API-Key": "unknown"})
    ((*known, seconds),) = heard
    assert tuple(known) == told
    assert 0 < seconds < 10


def test_a_request_is_counted_with_its_bytes():
    app, meter, _ = watched()
    answer = ask(app, "POST", "/api/v1/memories", content=b"x" * 40)
    labels = {"method": "POST", "route": "/api/v1/memories"}
    assert meter.counts[series("http_requests_total", status_code="401", **labels)] == 1
    assert meter.counts[series("http_request_errors_total", error_code="MISSING_API_KEY", **labels)] == 1
    assert meter.counts[series("http_request_bytes_total", route="/api/v1/memories")] == 40
    assert meter.counts[series("http_response_bytes_total", route="/api/v1/memories")] == len(answer.content)
    assert meter.gauges[series("http_requests_in_flight")] == 0


def test_a_body_that_is_too_large_is_counted():
    app, meter, heard = watched(Settings(maximum_body_bytes=1024))
    ask(app, "POST", "/api/v1/memories", content=b"x" * 1025)
    assert heard[0][:3] == ("unrouted", "POST", 413)
    assert meter.gauges[series("http_requests_in_flight")] == 0


def test_a_client_that_hangs_up_is_told_of_as_gone():
    app, meter, heard = watched()

    async def send():
        async def gone():
            return {"type": "http.disconnect"}

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
        await app(scope, gone, None)

    asyncio.run(send())
    assert heard[0][:3] == ("unrouted", "POST", 499)
    assert meter.gauges[series("http_requests_in_flight")] == 0
