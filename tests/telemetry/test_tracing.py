"""Spans at the edges of the server, recorded by OpenTelemetry's own SDK."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx2
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.adapters.telemetry.tracing import NoTracing, OpenTelemetryTracing, open_tracing
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.errors import ConfigurationError
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.faces.http.application import create_http_app
from pronoia.ports.telemetry import Telemetry

pytestmark = pytest.mark.anyio
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CANARY = "canary sings of saffron"


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    quiet = open_telemetry()
    return Telemetry(quiet.meter, quiet.exposition, OpenTelemetryTracing(provider))


@pytest.fixture
async def http(database_url, telemetry):
    settings = read_settings({}, database_url=database_url, learning_schedule=False)
    async with open_services(settings, telemetry=telemetry) as services:
        _, key = await services.keys.create(
            user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=DEFAULT_ORGANISATION
        )
        transport = httpx2.ASGITransport(app=create_http_app(services, settings, telemetry=telemetry))
        headers = {"X-API-Key": key, "traceparent": f"00-{TRACE}-{PARENT}-01"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://server", headers=headers) as http:
            yield http


def of_trace(exporter):
    return [span for span in exporter.get_finished_spans() if format(span.context.trace_id, "032x") == TRACE]


async def test_a_request_is_a_part_of_its_senders_trace_down_to_embedder_and_database(http, exporter):
    answer = await http.post("/api/v1/memories", json={"text": CANARY})
    assert answer.status_code == 201
    spans = {span.name: span for span in of_trace(exporter)}
    request = spans["POST /api/v1/memories"]
    assert format(request.parent.span_id, "016x") == PARENT
    assert request.kind is SpanKind.SERVER
    assert request.attributes["http.route"] == "/api/v1/memories"
    assert request.attributes["http.response.status_code"] == 201
    for name in ("find_key", "embed", "add_memories"):
        assert spans[name].parent.span_id == request.context.span_id
    stored = spans["add_memories"]
    assert stored.attributes["db.operation"] == "select"
    assert request.start_time <= stored.start_time < stored.end_time <= request.end_time


async def test_no_span_holds_what_was_said(http, exporter):
    await http.post("/api/v1/memories", json={"text": CANARY})
    await http.post("/api/v1/memories/search", json={"query": CANARY})
    await http.post("/api/v1/memories", json={"text": CANARY, "tags": 5})
    assert len(of_trace(exporter)) > 5
    for span in exporter.get_finished_spans():
        assert CANARY not in span.to_json()


async def test_a_failure_is_marked_without_its_message(exporter, telemetry):
    def fail():
        with telemetry.tracing.span("work"):
            raise ValueError(CANARY)

    with pytest.raises(ValueError, match=CANARY):
        fail()
    telemetry.tracing.ended("statement", 0.5, failed=True)
    work, statement = exporter.get_finished_spans()
    assert work.status.status_code is statement.status.status_code is StatusCode.ERROR
    assert work.events == ()
    assert work.status.description is None
    assert statement.end_time - statement.start_time == 500_000_000


@pytest.mark.parametrize("traceparent", ["nonsense", "00-0-0-00", "ff-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_a_wrong_traceparent_begins_a_new_trace(http, exporter, traceparent):
    answer = await http.get("/health", headers={"traceparent": traceparent})
    assert answer.status_code == 200
    (span,) = [one for one in exporter.get_finished_spans() if one.name == "GET /health"]
    assert span.parent is None


async def test_without_an_address_there_is_no_tracing_and_without_the_extra_it_says_so(monkeypatch):
    assert isinstance(open_tracing("", "1"), NoTracing)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match="tracing"):
        open_tracing("http://collector/v1/traces", "1")


def test_the_endpoint_that_every_tool_of_opentelemetry_knows_is_heeded():
    base = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}
    assert read_settings(base).traces_url == "http://collector:4318/v1/traces"
    assert read_settings({**base, "PRONOIA_TRACES_URL": "http://other"}).traces_url == "http://other"
    assert read_settings({}).traces_url == ""


async def test_spans_reach_a_collector_when_the_server_stops(collector):
    tracing = open_tracing(collector.url, "1.2.3")
    with tracing.span("work"):
        pass
    await tracing.close()
    assert b"work" in collector.bodies[0]
    assert b"1.2.3" in collector.bodies[0]


@pytest.fixture
def collector():
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    server.bodies = bodies
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
