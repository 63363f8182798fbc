"""What every request meets before and after its operation. No memory is touched."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import httpx2
import pytest
from calm import NO_RATE_LIMITS, UNTOLD, calm_resilience

from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.config import Settings
from pronoia.domain.errors import InvalidCredentialError, MissingCredentialError
from pronoia.domain.records import ApiKey, Permission, Plan
from pronoia.faces.http.application import create_http_app
from pronoia.resilience.breaker import State
from pronoia.services.health import Readiness

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ORGANISATION = UUID(int=7)
TELEMETRY = open_telemetry()


class Keys:
    def knows(self, _):
        return True

    async def authenticate(self, secret):
        if secret is None:
            raise MissingCredentialError("No key.")
        users = {"ada-key": "ada", "service-key": None}
        if secret not in users:
            raise InvalidCredentialError("Unknown key.")
        return ApiKey("id", ORGANISATION, users[secret], frozenset({Permission.READ}), Plan.FREE, b"", NOW)


class Database:
    def __init__(self, healthy=True):
        self.healthy = healthy

    async def check(self):
        return Readiness(1.5, None if self.healthy else "away", State.CLOSED, 0)


class Broken:
    async def search(self, *_):
        raise ZeroDivisionError("secret detail")

    get = page = search


def answer(method, path, *, settings=None, healthy=True, **request):
    async def send():
        services = SimpleNamespace(
            authentication=Keys(),
            health=Database(healthy),
            recall=Broken(),
            limits=NO_RATE_LIMITS,
            resilience=calm_resilience(),
            audit=UNTOLD,
        )
        app = create_http_app(services, settings or Settings(), lambda: NOW, telemetry=TELEMETRY)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://server") as http:
            return await http.request(method, path, **request)

    return asyncio.run(send())


ADA = {"X-API-Key": "ada-key"}


@pytest.mark.parametrize("path", ["/", "/health", "/api/v1/health", "/api/v1/monitoring/live"])
def test_health_needs_no_key(path):
    assert answer("GET", path).status_code == 200


def test_readiness_tells_of_the_database():
    assert answer("GET", "/health/ready").json()["checks"]["database"]["status"] == "healthy"
    away = answer("GET", "/health/ready", healthy=False)
    assert (away.status_code, away.json()["status"]) == (503, "not_ready")


def test_every_answer_carries_an_id_and_security_headers():
    own = answer("GET", "/health", headers={"X-Request-ID": "mine"})
    assert own.headers["X-Request-ID"] == "mine"
    assert own.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer("GET", "/health").headers["X-Request-ID"]) == 36


def test_an_unknown_route_is_answered_with_an_object():
    refused = answer("GET", "/nowhere")
    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == refused.json()["code"] == "ROUTE_NOT_FOUND"


def test_a_wrong_method_names_the_right_ones():
    refused = answer("POST", "/health")
    assert (refused.status_code, refused.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert refused.headers["Allow"] == "GET"


def test_a_missing_key_and_a_wrong_one_are_401():
    missing = answer("GET", "/api/v1/memories")
    assert (missing.status_code, missing.json()["code"]) == (401, "MISSING_API_KEY")
    wrong = answer("GET", "/api/v1/memories", headers={"Authorization": "Bearer nothing"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "INVALID_API_KEY")


def test_a_key_without_the_scope_is_403():
    refused = answer("POST", "/api/v1/memories", headers=ADA, json={"text": "x"})
    assert (refused.status_code, refused.json()["error"]) == (403, "Forbidden")


def test_a_service_key_must_name_one_user():
    service = {"X-Service-Token": "service-key"}
    refused = answer("GET", "/api/v1/memories", headers=service)
    assert refused.status_code == 400
    assert refused.json()["message"] == "user_id is required for service token requests"
    both = answer("GET", "/api/v1/memories?user_id=bob", headers={**service, "X-User-ID": "ada"})
    assert (both.status_code, both.json()["details"]["field"]) == (400, "user_id")


MALFORMED = {
    "cut": (b'{"query":', "body"),
    "nested": (b'{"query":"x","unknown":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "body"),
    "nested_metadata": (b'{"query":"x","metadata":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, None),
    "surrogate": (rb'{"query":"\ud800"}', "body"),
    "not_a_number": (b'{"query":"x","min_score":NaN}', "body"),
    "not_utf_8": (b'{"query":"\xff"}', "body"),
    "array": (b"[]", "body"),
    "wrong_type": (b'{"query":7}', "query"),
    "missing": (b"{}", "query"),
    "tags": (json.dumps({"query": "x", "tags": [""] * 200_000}).encode(), "tags"),
    "score": (b'{"query":"x","min_score":1.5}', "min_score"),
    "limit": (b'{"query":"x","limit":0}', "limit"),
    "nul": (rb'{"query":"x","project_id":"\u0000"}', "project_id"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_body_is_400_with_its_field(case):
    body, field = MALFORMED[case]
    refused = answer("POST", "/api/v1/memories/search", headers=ADA, content=body)
    assert refused.status_code == 400, refused.text
    assert refused.json()["error"] == "Bad Request"
    if field:
        assert refused.json()["details"]["field"] == field


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=x", "limit"),
        ("limit=0", "limit"),
        ("cursor=1", "cursor"),
        ("metadata=[", "metadata"),
        ("a=%ff", "query"),
    ],
)
def test_a_malformed_query_is_400_with_its_field(query, field):
    refused = answer("GET", f"/api/v1/memories?{query}", headers=ADA)
    assert (refused.status_code, refused.json()["details"]["field"]) == (400, field)


def test_a_body_over_the_limit_is_413():
    refused = answer("POST", "/api/v1/memories", headers=ADA, content=b" " * 1_048_577)
    assert (refused.status_code, refused.json()["error"]["details"]["limit"]) == (413, 1_048_576)


def test_a_failure_says_nothing_of_its_cause():
    failed = answer("POST", "/api/v1/memories/search", headers=ADA, json={"query": "x"})
    assert (failed.status_code, failed.json()["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "secret" not in failed.text
    assert "Traceback" not in failed.text


def test_an_id_that_is_none_is_404():
    assert answer("GET", "/api/v1/memories/nothing", headers=ADA).json()["code"] == "RESOURCE_NOT_FOUND"


def test_the_document_describes_every_route_and_the_page_has_no_script():
    document = answer("GET", "/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {"get", "put", "patch", "delete"} <= set(document["paths"]["/api/v1/memories/{memory_id}"])
    page = answer("GET", "/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in page.text
    assert "/api/v1/memories/search-weighted" in page.text


def test_the_document_asks_for_a_key_only_where_repeating_would_do_more():
    paths = answer("GET", "/openapi.json").json()["paths"]
    keyed = {
        (method, path)
        for path, methods in paths.items()
        for method, one in methods.items()
        if "Idempotency-Key" in {parameter["name"] for parameter in one.get("parameters", ())}
    }
    assert {("post", "/api/v1/memories"), ("delete", "/api/v1/memories/{memory_id}")} <= keyed
    assert not keyed & {
        ("post", f"/api/v1/learning/{name}") for name in ("analyze", "analyze-enhanced", "apply-suggestions")
    }
    assert not [path for method, path in keyed if method == "get"]


def test_a_request_that_does_not_arrive_in_time_is_408():
    async def never():
        await asyncio.Event().wait()

    async def send():
        sent = []

        async def keep(message):
            sent.append(message)

        app = create_http_app(
            SimpleNamespace(limits=NO_RATE_LIMITS, resilience=calm_resilience(), audit=UNTOLD),
            Settings(request_timeout_seconds=0.01),
            lambda: NOW,
            telemetry=TELEMETRY,
        )
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
        await asyncio.wait_for(app(scope, never, keep), 5)
        return sent

    start, body = asyncio.run(send())
    assert start["status"] == 408
    assert json.loads(body["body"])["code"] == "REQUEST_TIMEOUT"
