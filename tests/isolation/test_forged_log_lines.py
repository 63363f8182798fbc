"""Whatever a request is made of, it makes one line of the log, and none of its own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest
from hostile import ask
from recorded_log import recorded_log
from tenants import API, make_tenant

from pronoia.adapters.telemetry.logs import FIELDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from recorded_log import RecordedLog
    from tenants import World

pytestmark = pytest.mark.anyio

FORGED = "forged by mallory"
FORGED_JSON = '{"timestamp":"2026-01-01T00:00:00Z","level":"info","message":"forged by mallory"}'
FORGED_TEXT = "2026-01-01T00:00:00Z info     'forged by mallory'"
BREAKS = ("\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
"""All that some reader of lines takes for the end of one."""
HEAD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (debug|info|warning|error|critical) +'")


@pytest.fixture(params=[True, False], ids=["JSON", "text"])
async def logged(
    request: pytest.FixtureRequest, opening: Callable[..., Any]
) -> AsyncIterator[tuple[World, RecordedLog]]:
    """Serve, and log in each of the two forms."""
    with recorded_log(as_json=request.param) as log:
        async with opening() as world:
            yield world, log


def latin(text: str) -> str:
    """Write a text as a header carries it."""
    return text.encode().decode("latin-1")


async def forge(world: World, text: str, key: str, service: str) -> int:
    """Send a text wherever one can be sent, and give the number of requests."""
    owner, anybody = {"X-API-Key": key}, {"X-Service-Token": service}
    attempts: list[tuple[str, str, bytes, bytes, Mapping[str, str]]] = [
        ("GET", f"{API}/memories", b"", b"", {**anybody, "X-User-ID": latin(text)}),
        ("GET", f"{API}/memories", quote(f"user_id={text}", safe="=").encode(), b"", anybody),
        ("POST", f"{API}/memories", b"", json.dumps({"text": "tea", "user_id": text}).encode(), anybody),
        ("POST", f"{API}/memories/search", b"", json.dumps({"query": text}).encode(), owner),
        ("GET", f"{API}/memories", b"", b"", {**owner, "X-Request-ID": latin(text)}),
        ("GET", f"{API}/memories", b"", b"", {"X-API-Key": latin(text)}),
        ("GET", f"{API}/memories", b"", b"", {"Authorization": latin(f"Bearer {text}")}),
        ("GET", f"{API}/memories", b"", b"", {**owner, "User-Agent": latin(text), "X-Forwarded-For": latin(text)}),
        ("GET", f"{API}/memories", quote(f"project_id={text}", safe="=").encode(), b"", owner),
        ("GET", f"{API}/memories", quote(f"{text}=1", safe="=").encode(), b"", owner),
        ("GET", f"{API}/memories/{text}", b"", b"", owner),
        ("GET", f"{API}/{text}", b"", b"", {}),
        (f"GET{text}", f"{API}/memories", b"", b"", owner),
        ("POST", f"{API}/memories", b"", text.encode(), owner),
    ]
    for method, path, query, body, headers in attempts:
        told = await ask(world.app, method, path, (body,), query=query, headers=headers)
        assert told.status < 500, (method, path, headers, told.body)
    return len(attempts)


async def test_no_part_of_a_request_makes_a_line_of_its_own(logged: tuple[World, RecordedLog], request: Any):
    world, log = logged
    tenant = make_tenant()
    key, service = await world.key(tenant, "ada"), await world.key(tenant, None)
    requests = 1  # the one that ends the record
    for line_break in BREAKS:
        for forged in (FORGED_JSON, FORGED_TEXT):
            requests += await forge(world, f"ada{line_break}{forged}{line_break}", key, service)
    lines = (await log.text(world.http)).splitlines()
    is_json = "JSON" in request.node.callspec.id
    for line in lines:
        assert set(msgspec.json.decode(line)) <= FIELDS if is_json else HEAD.match(line), line
    messages = [msgspec.json.decode(line)["message"] if is_json else line.split("'")[1] for line in lines]
    assert messages.count("request.answered") == requests
    assert FORGED not in messages
    assert any(FORGED in line for line in lines)
