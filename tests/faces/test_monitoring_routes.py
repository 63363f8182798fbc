"""Health, alerts and service levels as operators and clients see them, on the real server."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from recallbricks import RecallBricks

from database_administration import administer
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.monitoring_store import _needed_tables
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

MONITORING = "/api/v1/monitoring"
PARTS = {"database", "embedding", "cache", "breakers", "resources", "learning_system", "memory_graph"}
FAR = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
def admin(server):
    with httpx2.Client(base_url=server.url, headers={"X-API-Key": server.key}, timeout=30) as http:
        yield http


@contextmanager
def away(database_url):
    """Let nobody into the database, and put out who is in it."""
    name = urlsplit(database_url).path.lstrip("/")
    administer(
        database_url.replace(name, "postgres"),
        f"alter database {name} allow_connections false",
        f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'",  # noqa: S608 - our own name
    )
    try:
        yield
    finally:
        administer(database_url.replace(name, "postgres"), f"alter database {name} allow_connections true")


def test_every_part_says_how_it_fares(admin):
    health = admin.get(MONITORING + "/health").json()
    assert health["status"] in {"healthy", "degraded"}
    assert set(health["components"]) == PARTS
    database = health["components"]["database"]
    assert (database["name"], database["error_count_24h"]) == ("database", 0)
    assert database["latency_ms"] == database["response_time_ms"] > 0
    assert health["components"]["embedding"]["status"] == "healthy"
    loops = health["components"]["learning_system"]["details"]["loops"]
    assert {"Watch.run", "Background.run", "Uses.run"} <= set(loops)
    assert health["components"]["resources"]["details"]["memory_bytes"] > 10_000_000
    assert health["uptime_seconds"] > 0
    assert set(health["metrics"]) == {"requests_per_second", "avg_response_time_ms", "error_rate"}
    assert set(health["sla"]) == {"availability_percent", "p95_latency_ms", "target_met"}


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("database", "database"),
        ("learning", "learning_system"),
        ("graph", "memory_graph"),
        ("relationships", "memory_graph"),
    ],
)
def test_one_part_is_found_by_every_name_that_clients_use(admin, asked, name):
    answer = admin.get(f"{MONITORING}/components/{asked}")
    assert (answer.status_code, answer.json()["name"]) == (200, name)


def test_a_part_that_is_not_there_is_answered_with_those_that_are(admin, refused):
    body = refused(admin.get(MONITORING + "/components/collaboration"), 404, "RESOURCE_NOT_FOUND")
    assert set(body["details"]["available_components"]) == PARTS


def test_the_report_says_what_happened_nested_and_flat(admin):
    assert admin.post("/api/v1/memories/search", json={"query": "bees"}).status_code == 200
    report = admin.get(MONITORING + "/sla").json()
    assert report["period"] == "1h"
    assert report["error_rate"]["total_requests"] >= 1
    assert report["availability"]["target"] == 99.9
    assert 0 <= report["availability"]["actual"] <= 100
    assert report["latency"]["target_p95_ms"] == 500
    assert report["latency"]["p50_ms"] <= report["latency"]["p95_ms"] == report["p95_response_time_ms"]
    assert report["uptime_percent"] == report["uptime_percentage"] > 0
    assert report["requests_last_hour"] == report["error_rate"]["total_requests"]
    assert report["overall_sla_met"] in {True, False}
    assert admin.get(MONITORING + "/sla", params={"period": "30d"}).json()["requests_last_hour"] is None


def test_another_period_is_refused_by_name(admin, refused):
    refused(admin.get(MONITORING + "/sla", params={"period": "2h"}), 400, "VALIDATION_ERROR", field="period")
    refused(admin.get("/alerts", params={"severity": "loud"}), 400, "VALIDATION_ERROR", field="severity")
    refused(admin.get("/alerts", params={"limit": 1001}), 400, "VALIDATION_ERROR", field="limit")


def test_the_flat_figures_are_shares_beside_their_targets(admin):
    figures = admin.get("/sla").json()
    assert figures["targets"] == {"availability": 0.999, "latencyP95": 500, "latencyP99": 1000, "errorRate": 0.01}
    assert set(figures["violations"]) == {"availability", "latencyP95", "latencyP99", "errorRate"}
    assert figures["period"] == "24h"


@pytest.mark.parametrize("path", ["/health", "/sla", "/components/database"])
def test_details_need_the_scope_admin(server, anonymous, refused, path):
    refused(anonymous.get(MONITORING + path), 401, "MISSING_API_KEY")
    limited = _key(server, "read")
    refused(anonymous.get(MONITORING + path, headers={"X-API-Key": limited}), 403, "FORBIDDEN")


@pytest.mark.parametrize("path", ["/alerts", "/sla"])
def test_alerts_and_figures_are_shown_near_by_and_to_admins_alone(server, anonymous, refused, path):
    assert anonymous.get(path).status_code == 200
    refused(anonymous.get(path, headers=FAR), 401, "MISSING_API_KEY")
    assert anonymous.get(path, headers={**FAR, "X-API-Key": server.key}).status_code == 200


def test_a_service_key_need_name_no_user(server, anonymous):
    assert anonymous.get(MONITORING + "/sla", headers={"X-Service-Token": server.service_key}).status_code == 200


def test_the_tables_are_all_there(admin):
    found = admin.get("/api/v1/admin/check-tables").json()
    assert (found["all_exist"], found["missing_tables"]) == (True, [])
    assert set(found["tables"]) == set(_needed_tables()) >= {"memories", "relationships", "service_levels", "alerts"}


def _key(server, permission):
    async def make():
        database = await Database.open(server.database_url, connections=2, timeout_seconds=10)
        _, secret = await Keys(store=PostgresKeyStore(database), clock=SystemClock()).create(
            user_id="ada", plan=Plan.FREE, permissions=[Permission(permission)], organisation_id=DEFAULT_ORGANISATION
        )
        await database.close()
        return secret

    return asyncio.run(make())


def test_a_fresh_server_has_no_data_and_says_so(serve, database_url):
    with serve(database_url) as fresh, httpx2.Client(base_url=fresh.url, timeout=30) as http:
        figures = http.get("/sla").json()
        assert figures["status"] == "no_data"
        assert (figures["availability"], figures["errorRate"], figures["p95"], figures["totalRequests"]) == (
            None, None, None, 0,
        )  # fmt: skip
        assert set(figures["violations"].values()) == {None}
        report = http.get(MONITORING + "/sla", headers={"X-API-Key": fresh.key}).json()
        assert (report["status"], report["overall_sla_met"], report["availability"]["actual"]) == (
            "no_data",
            None,
            None,
        )
        assert http.get("/alerts").json() == {"alerts": [], "count": 0}


class Inbox(BaseHTTPRequestHandler):
    messages: queue.Queue[str] = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.messages.put(json.loads(body)["text"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def inbox():
    with ThreadingHTTPServer(("127.0.0.1", 0), Inbox) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/hook", Inbox.messages
        http.shutdown()


def test_without_its_database_the_server_lives_is_not_ready_and_tells_of_the_outage_afterwards(
    serve, database_url, inbox
):
    url, messages = inbox
    settings = {
        "PRONOIA_SLACK_WEBHOOK_URL": url,
        "PRONOIA_ALERT_SECONDS": "1",
        "PRONOIA_DATABASE_TIMEOUT_SECONDS": "2",
    }
    with (
        serve(database_url, **settings) as served,
        httpx2.Client(base_url=served.url, headers={"X-API-Key": served.key}, timeout=30) as http,
    ):
        assert http.get("/health/ready").json()["status"] == "ready"
        with away(database_url):
            for path in (MONITORING + "/ready", "/health/ready"):
                assert http.get(path).status_code == 503, path
            for path in (MONITORING + "/live", MONITORING + "/health/simple", "/health", "/health/live"):
                assert http.get(path).status_code == 200, path
            for _ in range(6):
                body = {"text": uuid4().hex}
                assert http.post("/api/v1/memories", json=body).status_code == 503
        told = messages.get(timeout=60)
        assert "BudgetBurn" in told
        alerts = http.get("/alerts", params={"severity": "critical"}).json()["alerts"]
        assert "AvailabilityBudgetBurn" in {one["name"] for one in alerts if one["state"] == "firing"}
        assert http.get("/sla").json()["violations"]["availability"] is True


def test_the_published_client_finds_the_server_healthy(server):
    client = RecallBricks(api_key=server.key, base_url=f"{server.url}/api/v1")
    health = client.health()
    assert (health["status"], health["service"]) == ("ok", "pronoia")
    assert health["version"][0].isdigit()
