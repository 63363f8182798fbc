"""What the server logs of requests: who, what and how long; never what was said."""

from __future__ import annotations

import re

import httpx2
import msgspec

from log_files import text_with
from pronoia.faces.http.application import OPERATIONS

CANARY = "canary sings of saffron"
UNKNOWN_KEY = "prn_canarykey_canarykeycanarykey"


def paths():
    """Give every route, with a memory's text where an id is expected."""
    return sorted({(one.method, re.sub(r"\{\w+\}", CANARY.replace(" ", "-"), one.path)) for one in OPERATIONS})


FIELDS = ["text", "content", "query", "context", "current_context", "source", "explanation", "reason", "type"]
BODY = dict.fromkeys(FIELDS, CANARY)


def test_no_text_key_or_token_is_in_the_log_of_any_route_or_error(logged_server):
    server, file = logged_server
    key, service_key = server.key, server.service_key
    with httpx2.Client(base_url=server.url, timeout=30) as http:
        stored = http.post("/api/v1/memories", json={"text": CANARY}, headers={"X-API-Key": key})
        assert stored.status_code == 201
        found = http.post(
            "/api/v1/memories/search",
            json={"query": CANARY},
            headers={"X-Service-Token": service_key, "X-User-ID": "ada", "X-Request-ID": "mine"},
        )
        assert CANARY in found.text
        for method, path in paths():
            for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {UNKNOWN_KEY}"}):
                http.request(method, path, headers=headers, json=BODY, params={"query": CANARY, "context": CANARY})
        http.post("/api/v1/memories", content=b'{"text": "canary sings of saffron', headers={"X-API-Key": key})
        last = {"X-API-Key": key, "X-Request-ID": "last"}
        http.post("/api/v1/memories", json={"text": CANARY + "\x00"}, headers=last)
    text = text_with(file, '"request_id":"last"')
    for secret in (
        CANARY,
        CANARY.replace(" ", "-"),
        CANARY.replace(" ", "%20"),
        "saffron",
        key,
        service_key,
        UNKNOWN_KEY,
    ):
        assert secret not in text
    lines = [msgspec.json.decode(line) for line in text.splitlines()]
    requests = [line for line in lines if line["message"] == "request.answered"]
    assert len(requests) == 5 + 2 * len(paths())
    (mine,) = [line for line in requests if line["request_id"] == "mine"]
    assert mine["user_id"] == "ada"
    assert (mine["method"], mine["route"], mine["status_code"]) == ("POST", "/api/v1/memories/search", 200)
    assert 0 < mine["duration_ms"] < 30_000
