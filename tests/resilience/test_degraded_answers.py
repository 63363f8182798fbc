"""What callers meet while the server is full: features go first, writes and recall last, and all come back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest

from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.app import open_services
from pronoia.config import read_settings
from pronoia.domain.records import Permission, Plan
from pronoia.faces.http.application import create_http_app
from pronoia.resilience.degradation import Level
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.services.services import Services

pytestmark = pytest.mark.anyio
ALLOWED_BYTES = 1_000_000
PATTERNS = ("GET", "/memories/meta/patterns")
SUGGEST = ("POST", "/memories/suggest")
OFF_WHEN_CRITICAL = (("GET", "/learning/maintenance-suggestions"), ("GET", "/learning/metrics"))
NEVER_OFF = (("GET", "/memories/predict"), ("POST", "/memories/search"), ("POST", "/memories"))
BY_IMPORTANCE = (
    ("POST", "/memories/suggest"),
    ("GET", "/learning/metrics"),
    ("GET", "/memories/predict"),
    ("POST", "/memories/search"),
)
BODIES = {"/memories/suggest": {"context": "tea"}, "/memories/search": {"query": "tea"}, "/memories": {"text": "tea"}}


class Answering:
    """A server in this process, whose memory is as full as a test wants."""

    def __init__(self, services: Services, client: httpx2.AsyncClient, clock: ManualClock) -> None:
        self.services = services
        self.client = client
        self.clock = clock
        self.share = 0.0

    def settle(self, share: float) -> None:
        """Let the memory be full to a share for so long that no signal remembers how it was before."""
        self.share = share
        for _ in range(100):
            self.clock.advance(0.1)
            self.services.resilience.observe(0.0)

    async def ask(self, method: str, path: str) -> httpx2.Response:
        return await self.client.request(method, "/api/v1" + path, json=BODIES.get(path) if method == "POST" else None)


@pytest.fixture
async def answering(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Answering]:
    settings = read_settings({}, database_url=database_url, memory_limit_bytes=ALLOWED_BYTES)
    clock = ManualClock()
    # The tests observe; the server's own observer would take the steps of their clock for stalls.
    monkeypatch.setattr("pronoia.resilience.saturation.TICK_SECONDS", 3_600)
    async with open_services(settings, clock) as services:
        _, key = await services.keys.create(
            user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=uuid4()
        )
        app = create_http_app(services, settings, clock.now, telemetry=open_telemetry())
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),  # pyright: ignore[reportArgumentType] - two names of one protocol
            base_url="http://pronoia",
            headers={"X-API-Key": key},
        ) as client:
            answering = Answering(services, client, clock)
            monkeypatch.setattr(
                "pronoia.composition.foundation.resident_bytes", lambda: answering.share * ALLOWED_BYTES
            )
            yield answering


async def statuses(answering: Answering, *operations: tuple[str, str]) -> list[int]:
    return [(await answering.ask(*operation)).status_code for operation in operations]


async def test_between_the_thresholds_patterns_are_off_and_say_when_to_ask_again(answering: Answering):
    answering.settle(0.85)
    assert answering.services.resilience.level is Level.HIGH
    answer = await answering.ask(*PATTERNS)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["code"] == "FEATURE_DEGRADED"
    assert await statuses(answering, *OFF_WHEN_CRITICAL, *NEVER_OFF) == [200, 200, 200, 200, 201]


async def test_suggestions_that_are_off_answer_with_none_and_say_why(answering: Answering):
    """Whoever asks while it talks need not know of it; whoever counts can tell it from having found nothing."""
    await answering.ask("POST", "/memories")
    assert [one["text"] for one in (await answering.ask(*SUGGEST)).json()["suggestions"]] == ["tea"]
    answering.settle(0.85)
    answer = await answering.ask(*SUGGEST)
    assert (answer.status_code, answer.headers["retry-after"]) == (200, "5")
    assert answer.json() == {
        "suggestions": [],
        "count": 0,
        "context": "tea",
        "weights_used": {},
        "min_confidence": 0.6,
        "withheld": False,
        "abstained": False,
        "degraded": True,
        "reason": "The server has too much to do and does without this for a while.",
    }
    assert (await answering.client.post("/api/v1/memories/suggest", json={})).status_code == 400


async def test_what_was_used_of_earlier_suggestions_counts_while_they_are_off(answering: Answering):
    stored = (await answering.ask("POST", "/memories")).json()["id"]
    answering.settle(0.85)
    body = {"context": "tea", "used_ids": [stored]}
    assert (await answering.client.post("/api/v1/memories/suggest", json=body)).json()["degraded"] is True
    answering.settle(0.2)
    (best,) = (await answering.ask(*SUGGEST)).json()["suggestions"]
    assert (best["memory_id"], best["analytics"]["usage_count"]) == (stored, 1)


async def test_above_the_second_threshold_reports_are_off_too_and_recall_and_writes_go_on(answering: Answering):
    answering.settle(0.97)
    assert await statuses(answering, PATTERNS, *OFF_WHEN_CRITICAL, SUGGEST) == [503] * 3 + [200]
    assert await statuses(answering, *NEVER_OFF) == [200, 200, 201]


async def test_what_was_off_is_back_by_itself_once_there_is_room(answering: Answering):
    answering.settle(0.97)
    answering.settle(0.2)
    assert answering.services.resilience.level is Level.NORMAL
    assert await statuses(answering, PATTERNS, *OFF_WHEN_CRITICAL) == [200] * 3
    assert (await answering.ask(*SUGGEST)).json()["degraded"] is False


async def test_while_there_is_no_room_requests_are_turned_away_by_importance_and_health_never(answering: Answering):
    gate = answering.services.resilience.gate
    for share, expected in ((0.82, [503, 200, 200, 200]), (0.97, [503, 503, 503, 200]), (1.01, [503] * 4)):
        gate.in_flight = round(share * gate.limit)
        answers = [await answering.ask(*one) for one in BY_IMPORTANCE]
        assert [one.status_code for one in answers] == expected
        assert {one.json()["code"] for one in answers if one.status_code == 503} == {"OVERLOADED"}
        assert (await answering.client.get("/health")).status_code == 200
    gate.in_flight = 0
    assert await statuses(answering, *BY_IMPORTANCE) == [200] * 4


async def test_a_request_that_is_turned_away_is_not_read(answering: Answering):
    answering.services.resilience.gate.in_flight = 10_000
    answer = await answering.client.post("/api/v1/memories", content=b"x" * (1 << 21))
    assert answer.json()["code"] == "OVERLOADED"
