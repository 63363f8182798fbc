"""Contract 1 to 3, the health of 5.1, and bad input on the real server: a clear 4xx, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import datetime
from uuid import uuid4

import httpx2
import pytest

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

MEMORIES = "/api/v1/memories"


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
def test_health_is_ok(anonymous, path):
    health = anonymous.get(path).json()
    assert (health["status"], health["service"]) == ("ok", "pronoia")
    assert datetime.fromisoformat(health["timestamp"]).tzinfo is not None
    assert health["version"][0].isdigit()


def test_the_root_says_what_this_is(anonymous):
    root = anonymous.get("/").json()
    assert (root["name"], root["database"], root["status"]) == ("Pronoia", "PostgreSQL", "healthy")
    assert any("etacognition" in feature for feature in root["features"])
    assert any("sage-based learning" in feature for feature in root["features"])


def test_readiness_and_liveness_have_every_name_that_clients_read(anonymous):
    ready = anonymous.get("/health/ready").json()
    assert (ready["status"], ready["checks"]["overall"]) == ("ready", True)
    assert (ready["checks"]["database"]["status"], ready["checks"]["database"]["error"]) == ("healthy", None)
    assert ready["checks"]["database"]["latency"] >= 0
    assert ready["checks"]["circuitBreaker"] == {"state": "CLOSED", "failures": 0}
    monitored = anonymous.get("/api/v1/monitoring/ready").json()
    assert (monitored["ready"], monitored["reason"]) == (True, None)
    live = anonymous.get("/api/v1/monitoring/live").json()
    assert (live["alive"], live["live"], live["status"]) == (True, True, "ok")
    assert anonymous.get("/api/v1/monitoring/health/simple").json()["status"] == "ok"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_the_api_describes_itself(anonymous, path):
    answer = anonymous.get(path)
    assert answer.status_code == 200
    assert "/api/v1/memories/search" in answer.text


@pytest.mark.parametrize(
    ("header", "form"),
    [("X-API-Key", "{}"), ("X-Service-Token", "{}"), ("Authorization", "Bearer {}"), ("authorization", "bearer {}")],
)
def test_a_key_is_accepted_in_every_header(server, anonymous, header, form):
    headers = {header: form.format(server.key)}
    assert anonymous.get(MEMORIES, headers=headers).json()["count"] >= 0
    assert anonymous.get(MEMORIES, headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["X-API-Key", "X-Service-Token", "Authorization"])
@pytest.mark.parametrize("secret", ["nonsense", "pronoia_abc_def", "' or 1=1 --", "x" * 5_000])
def test_a_malformed_key_is_401(anonymous, refused, name, secret):
    value = f"Bearer {secret}" if name == "Authorization" else secret
    answer = anonymous.get(MEMORIES, headers={name: value})
    body = refused(answer, 401, "INVALID_API_KEY")
    assert body["error"]["code"] == "INVALID_API_KEY"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_with_a_letter_changed_is_401(server, anonymous, refused):
    for place in (10, -8, -1):
        key = list(server.key)
        key[place] = "A" if key[place] != "A" else "B"
        refused(anonymous.get(MEMORIES, headers={"X-API-Key": "".join(key)}), 401, "INVALID_API_KEY")
    refused(anonymous.get(MEMORIES), 401, "MISSING_API_KEY")


def test_a_revoked_key_is_401(server, anonymous, refused):
    async def make_and_revoke():
        database = await Database.open(server.database_url, connections=2, timeout_seconds=10)
        keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
        made = {"user_id": "ada", "plan": Plan.FREE, "permissions": Permission, "organisation_id": DEFAULT_ORGANISATION}
        (key, text), (_, kept) = await keys.create(**made), await keys.create(**made)
        await keys.revoke(DEFAULT_ORGANISATION, key.id)
        await database.close()
        return text, kept

    revoked, kept = asyncio.run(make_and_revoke())
    refused(anonymous.get(MEMORIES, headers={"X-API-Key": revoked}), 401, "INVALID_API_KEY")
    assert anonymous.get(MEMORIES, headers={"X-API-Key": kept}).status_code == 200


def test_a_service_key_names_its_user_in_header_query_or_body(server, anonymous, refused):
    user = f"user-{uuid4().hex}"
    headers = {"X-Service-Token": server.service_key}
    made = anonymous.post(MEMORIES, headers=headers, json={"text": "x", "user_id": user})
    assert made.json()["user_id"] == user
    assert anonymous.get(f"{MEMORIES}?user_id={user}", headers=headers).json()["total"] == 1
    assert anonymous.get(MEMORIES, headers={**headers, "X-User-ID": user}).json()["total"] == 1
    body = refused(anonymous.get(MEMORIES, headers=headers), 400, "MISSING_REQUIRED_FIELD", field="user_id")
    assert body["message"] == "user_id is required for service token requests"


def test_what_a_key_of_one_user_names_is_ignored(server, anonymous):
    made = anonymous.post(MEMORIES, headers={"X-API-Key": server.key}, json={"text": "x", "user_id": "someone"})
    assert (made.status_code, made.json()["user_id"]) == (201, "ada")


def nested(levels):
    return "[" * levels + "]" * levels


BODIES = {
    "cut": ('{"text":', "VALIDATION_ERROR", "body"),
    "no json": ("text=hello", "VALIDATION_ERROR", "body"),
    "array": ("[]", "VALIDATION_ERROR", "body"),
    "null": ("null", "VALIDATION_ERROR", "body"),
    "nothing": ("", "MISSING_REQUIRED_FIELD", "text"),
    "empty text": ('{"text":""}', "MISSING_REQUIRED_FIELD", "text"),
    "blank text": ('{"text":" \\t\\n"}', "MISSING_REQUIRED_FIELD", "text"),
    "no text": ("{}", "MISSING_REQUIRED_FIELD", "text"),
    "text is null": ('{"text":null}', "VALIDATION_ERROR", "text"),
    "text is a number": ('{"text":7}', "VALIDATION_ERROR", "text"),
    "text is a list": ('{"text":["a"]}', "VALIDATION_ERROR", "text"),
    "overlong text": (json.dumps({"text": "x" * 10_001}), "INVALID_TEXT_LENGTH", "text"),
    "NUL in text": ('{"text":"a\\u0000b"}', "VALIDATION_ERROR", "text"),
    "NUL in a tag": ('{"text":"a","tags":["\\u0000"]}', "VALIDATION_ERROR", "tags"),
    "NUL in metadata": ('{"text":"a","metadata":{"b":"\\u0000"}}', "VALIDATION_ERROR", "metadata"),
    "NUL in a name": ('{"text":"a","session_id":"\\u0000"}', "VALIDATION_ERROR", "session_id"),
    "NUL in a user": ('{"text":"a","user_id":"\\u0000"}', "VALIDATION_ERROR", "user_id"),
    "lone surrogate": ('{"text":"\\ud800"}', "VALIDATION_ERROR", "body"),
    "lone surrogate in a key": ('{"text":"a","metadata":{"\\udfff":1}}', "VALIDATION_ERROR", "body"),
    "no UTF-8": (b'{"text":"\xff"}', "VALIDATION_ERROR", "body"),
    "UTF-16": ('{"text":"a"}'.encode("utf-16"), "VALIDATION_ERROR", "body"),
    "NaN": ('{"text":"a","metadata":{"b":NaN}}', "VALIDATION_ERROR", "body"),
    "infinity": ('{"text":"a","metadata":{"b":-Infinity}}', "VALIDATION_ERROR", "body"),
    "1e999": ('{"text":"a","metadata":{"b":1e999}}', "VALIDATION_ERROR", None),
    "huge integer": ('{"text":"a","metadata":{"b":' + "9" * 30 + "}}", "VALIDATION_ERROR", "metadata"),
    "10,000 levels": ('{"text":"a","metadata":{"b":' + nested(10_000) + "}}", "VALIDATION_ERROR", None),
    "100 levels": ('{"text":"a","metadata":{"b":' + nested(100) + "}}", "VALIDATION_ERROR", "metadata"),
    "10,000 unknown levels": ('{"text":"a","b":' + nested(10_000) + "}", "VALIDATION_ERROR", "body"),
    "200,000 tags": ('{"text":"a","tags":[' + '"",' * 199_999 + '""]}', "VALIDATION_ERROR", "tags"),
    "101 tags": (json.dumps({"text": "a", "tags": ["t"] * 101}), "VALIDATION_ERROR", "tags"),
    "blank tag": ('{"text":"a","tags":[" "]}', "MISSING_REQUIRED_FIELD", "tags"),
    "tags is a string": ('{"text":"a","tags":"b"}', "VALIDATION_ERROR", "tags"),
    "a tag is a number": ('{"text":"a","tags":[1]}', "VALIDATION_ERROR", "tags[0]"),
    "metadata is a list": ('{"text":"a","metadata":[]}', "VALIDATION_ERROR", "metadata"),
    "large metadata": (json.dumps({"text": "a", "metadata": {"b": "x" * 900_000}}), "VALIDATION_ERROR", "metadata"),
    "long name": (json.dumps({"text": "a", "project_id": "p" * 300}), "INVALID_TEXT_LENGTH", "project_id"),
    "time that is none": ('{"text":"a","occurred_at":"yesterday"}', "VALIDATION_ERROR", "occurred_at"),
    "time in metadata": ('{"text":"a","metadata":{"occurred_at":"x"}}', "VALIDATION_ERROR", "metadata.occurred_at"),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_body_is_a_bad_request_by_code_and_field_and_stores_nothing(caller, refused, case):
    content, code, field = BODIES[case]
    content = content if isinstance(content, bytes) else content.encode()
    body = refused(caller.post(MEMORIES, content=content, headers={"Content-Type": "application/json"}), 400, code)
    assert body["error"] == "Bad Request"
    if field is not None:
        assert body["details"]["field"] == field
    assert caller.given("GET", "/memories")["total"] == 0


@pytest.mark.parametrize(
    ("body", "limit"),
    [({"text": "x" * 10_001}, 10_000), ({"text": "a", "tags": ["t"] * 101}, 100)],
)
def test_a_limit_that_is_crossed_is_named(caller, body, limit):
    assert caller.post(MEMORIES, json=body).json()["details"]["limit"] == limit


def test_the_largest_that_is_allowed_is_kept(caller):
    text = "ü" * 10_000
    assert caller.remember(text, tags=["t" * 100] * 100)["text"] == text
    assert caller.given("GET", "/memories")["memories"][0]["text"] == text


def test_a_body_of_a_million_tags_or_of_a_megabyte_is_413(caller, refused):
    tags = b'{"text":"a","tags":[' + b'"",' * 999_999 + b'""]}'
    for content in (tags, b" " * 1_048_577):
        answer = caller.post(MEMORIES, content=content)
        body = refused(answer, 413, "PAYLOAD_TOO_LARGE", field="body", limit=1_048_576)
        assert body["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert caller.given("GET", "/memories")["total"] == 0


def test_fifty_megabytes_are_refused_before_they_are_read(server, caller):
    host, port = httpx2.URL(server.url).host, httpx2.URL(server.url).port
    with socket.create_connection((host, port), timeout=30) as connection:
        head = f"POST {MEMORIES} HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.key}\r\nContent-Length: 52428800\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert caller.given("GET", "/memories")["total"] == 0


@pytest.mark.parametrize("compression", ["gzip", "deflate", "br"])
def test_a_compressed_body_is_not_unpacked(caller, compression):
    answer = caller.post(MEMORIES, content=b"\x1f\x8b\x08\x00", headers={"Content-Encoding": compression})
    assert 400 <= answer.status_code < 500


def test_of_a_key_that_is_written_twice_one_is_kept(caller):
    answer = caller.post(MEMORIES, content=b'{"text":"first","text":"second"}')
    assert (answer.status_code, answer.json()["text"]) in {(201, "second"), (400, None)}


@pytest.mark.parametrize("known", ["theirs", "nobody's", "no id"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/history"),
        ("POST", "/feedback"),
        ("POST", "/upgrade"),
        ("GET", "/relationships"),
        ("GET", "/graph"),
    ],
)
def test_an_id_of_another_user_is_404_like_one_of_nobody(caller, stranger, refused, method, path, known):
    theirs = stranger.remember("Mine alone")
    identifier = {"theirs": theirs["id"], "nobody's": str(uuid4()), "no id": "..%2f..%2fetc"}[known]
    body = {"json": {"text": "taken", "helpful": True}} if method in {"PUT", "PATCH", "POST"} else {}
    answer = caller.request(method, f"{MEMORIES}/{identifier}{path}", **body)
    assert answer.status_code == 404
    if known != "no id":
        body = refused(answer, 404, "RESOURCE_NOT_FOUND")
        assert body["error"] == "Not Found"
        assert "Mine alone" not in answer.text
    assert stranger.given("GET", f"/memories/{theirs['id']}")["text"] == "Mine alone"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.5", "limit"),
        ("limit=99999999999999999999", None),
        ("offset=-1", "offset"),
        ("offset=x", "offset"),
        ("cursor=x", "cursor"),
        ("sort=up", "sort"),
        ("metadata={", "metadata"),
        ('metadata={"a":[1]}', "metadata"),
        ("created_after=now", "created_after"),
        ("tags=%00", "tags"),
        ("source=%00", "source"),
        ("a=%ff", "query"),
        ("&".join(f"a{number}=1" for number in range(101)), "query"),
    ],
)
def test_a_bad_query_is_a_bad_request_by_field(caller, refused, query, field):
    answer = caller.get(f"{MEMORIES}?{query}")
    if field is None:
        assert answer.status_code in {200, 400}
    else:
        code = "MISSING_REQUIRED_FIELD" if answer.json()["code"].startswith("MISSING") else "VALIDATION_ERROR"
        refused(answer, 400, code, field=field)


def test_an_unknown_route_and_a_wrong_method_are_told(caller, refused):
    body = refused(caller.get("/api/v1/nowhere"), 404, "ROUTE_NOT_FOUND")
    assert body["error"]["code"] == "ROUTE_NOT_FOUND"
    answer = caller.put(MEMORIES, json={})
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "DELETE, GET, POST"


def test_a_request_keeps_its_id_through_an_error(caller, refused):
    answer = caller.post(MEMORIES, json={}, headers={"X-Request-ID": "mine-1"})
    assert refused(answer, 400, "MISSING_REQUIRED_FIELD")["requestId"] == "mine-1"


@pytest.mark.parametrize("key", ["", "x" * 256, "ümlaut".encode()])
def test_a_bad_idempotency_key_is_refused_by_name(caller, refused, key):
    answer = caller.post(
        MEMORIES, json={"text": "x"}, headers=[(b"Idempotency-Key", key if isinstance(key, bytes) else key.encode())]
    )
    refused(answer, 400, "VALIDATION_ERROR", field="Idempotency-Key", limit=255)
    assert caller.given("GET", "/memories")["total"] == 0
