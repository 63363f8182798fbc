"""Limits as a client meets them: two servers on one database, with the documented numbers."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

MEMORIES = "/api/v1/memories"
PREDICT = "/api/v1/memories/predict"
WRONG = {"X-API-Key": "wrong"}
ORIGIN = "https://app.example"


async def _make_key(database_url, plan, user, organisation):
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
    made = await keys.create(user_id=user, plan=plan, permissions=Permission, organisation_id=organisation)
    await database.close()
    return made[1]


@pytest.fixture
def limited(limited_servers):
    """Give the URLs of two servers, and what makes keys for them, each of an organisation of its own."""
    database_url = limited_servers[0].database_url

    def make_key(plan=Plan.FREE, user="ada"):
        return {"X-API-Key": asyncio.run(_make_key(database_url, plan, user, uuid4()))}

    return SimpleNamespace(urls=[one.url for one in limited_servers], make_key=make_key, database_url=database_url)


@pytest.fixture
def clients(limited):
    with ExitStack() as stack:
        yield [stack.enter_context(httpx2.Client(base_url=url, timeout=30)) for url in limited.urls]


@pytest.fixture
def client(clients):
    return clients[0]


@pytest.fixture
def somewhere():
    """Give headers of an address that nobody has used."""
    return {"X-Forwarded-For": f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"}


def run(url, statement):
    async def execute():
        connection = await asyncpg.connect(url, timeout=10)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute())


def headers_of(answer):
    return tuple(int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining"))


def until_refused(client, path, headers, most):
    """Ask until there is a 429, and give what came before and the refusal."""
    answers = []
    for _ in range(most):
        answers.append(client.get(path, headers=headers))
        if answers[-1].status_code == 429:
            return answers[:-1], answers[-1]
    raise AssertionError(f"{most} requests were admitted")


@pytest.mark.parametrize(("plan", "limit"), [("free", 100), ("pro", 1_000), ("team", 5_000), ("enterprise", 60_000)])
def test_an_answer_tells_the_budget_of_the_keys_plan(client, limited, plan, limit):
    key = limited.make_key(Plan(plan))
    answer = client.get(MEMORIES, headers=key)
    assert headers_of(answer) == (limit, limit - 1)
    reset = datetime.fromisoformat(answer.headers["X-RateLimit-Reset"])
    assert timedelta(0) <= reset - datetime.now(UTC) <= timedelta(seconds=5)
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/health", "/openapi.json", "/docs", "/nowhere", MEMORIES])
def test_every_answer_tells_a_budget(client, somewhere, path):
    limit, remaining = headers_of(client.get(path, headers=somewhere))
    assert (limit, remaining) == (20, 19 if path == MEMORIES else 20)


def test_a_refusal_says_why_and_when_to_come_back(client, limited):
    key = {**limited.make_key(), "Origin": ORIGIN}
    admitted, refused = until_refused(client, PREDICT, key, most=40)
    assert len(admitted) in {20, 21}
    assert headers_of(refused) == (20, 0)
    seconds = int(refused.headers["Retry-After"])
    assert 1 <= seconds <= 3
    body = refused.json()
    assert body["error"]["code"] == body["code"] == "RATE_LIMIT_EXCEEDED"
    assert body["message"] == f"Expensive rate limit exceeded. Try again in {seconds} s."
    assert body["requestId"] == refused.headers["X-Request-ID"]
    assert (body["retryAfter"], body["limit"], body["remaining"]) == (seconds, 20, 0)
    assert body["details"]["retryAfter"] == seconds
    exposed = refused.headers["Access-Control-Expose-Headers"]
    assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} <= {
        name.strip() for name in exposed.split(",")
    }
    assert client.get(MEMORIES, headers=key).status_code == 200


def test_learning_has_a_budget_of_its_own(client, limited):
    key = limited.make_key()
    admitted, refused = until_refused(client, "/api/v1/learning/metrics", key, most=20)
    assert len(admitted) in {10, 11}
    assert refused.json()["details"]["limiter"] == "learning"


def test_two_servers_share_a_budget_and_a_burst_halves_it(clients, limited):
    key = limited.make_key()
    answers = [clients[place % 2].get(MEMORIES, headers=key) for place in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    for client in clients:
        limit, remaining = headers_of(client.get(MEMORIES, headers=key))
        assert (limit, remaining <= 25) in {(50, True), (100, False)}
    later = [clients[place % 2].get(MEMORIES, headers=key) for place in range(60)]
    refused = [answer for answer in later if answer.status_code == 429]
    assert len(refused) >= 25
    assert headers_of(refused[-1])[1] == 0


def test_what_is_refused_costs_too(client, limited):
    key = limited.make_key()
    for content in [b"{", b"[]"] * 10:
        refused = client.post(MEMORIES, headers=key, content=content)
        assert refused.status_code == 400
    assert headers_of(refused) <= (100, 90)


def test_guessing_is_limited_by_address_and_leaves_known_keys_and_others_alone(clients, limited, somewhere):
    known, fresh = limited.make_key(Plan.PRO), limited.make_key(Plan.PRO)
    assert clients[0].get(MEMORIES, headers={**known, **somewhere}).status_code == 200
    guesses = [clients[place % 2].get(MEMORIES, headers={**WRONG, **somewhere}) for place in range(30)]
    refused = [answer for answer in guesses if answer.status_code == 429]
    assert {answer.status_code for answer in guesses} == {401, 429}
    assert 8 <= len(refused) <= 10
    assert headers_of(refused[-1]) == (20, 0)
    assert clients[0].get(MEMORIES, headers=somewhere).status_code == 429
    neighbour = {"X-Forwarded-For": somewhere["X-Forwarded-For"].replace("::1", "::2")}
    assert clients[0].get(MEMORIES, headers={**fresh, **neighbour}).status_code == 429
    assert clients[0].get("/health", headers=somewhere).status_code == 200
    assert clients[0].get(MEMORIES, headers={**known, **somewhere}).status_code == 200
    assert clients[0].get(MEMORIES, headers={**fresh, "X-Forwarded-For": "198.51.100.1"}).status_code == 200


def test_the_metrics_are_no_way_around(client):
    far = {"X-Forwarded-For": "198.51.100.77"}
    answers = [client.get("/metrics", headers={**WRONG, **far}).status_code for _ in range(30)]
    assert set(answers) == {401, 429}
    assert answers.count(401) <= 22


def test_one_may_ask_what_is_left(client, limited):
    key = limited.make_key()
    for _ in range(9):
        client.get(MEMORIES, headers=key)
    client.get(PREDICT, headers=key)
    answer = client.get("/api/v1/rate-limit", headers=key).json()
    assert (answer["plan"], answer["limit"], answer["windowSeconds"]) == ("free", 100, 60)
    assert 89 <= answer["remaining"] <= 92
    assert answer["percentUsed"] == 100 - answer["remaining"]
    assert datetime.fromisoformat(answer["reset"]) > datetime.now(UTC) - timedelta(seconds=1)
    assert {one["limiter"]: one["limit"] for one in answer["limits"]} == {
        "organisation": 1_000,
        "user": 100,
        "expensive": 20,
        "learning": 10,
    }


def test_without_the_store_known_keys_work_by_local_limits_and_strangers_wait(client, limited, somewhere):
    known, fresh = limited.make_key(), limited.make_key()
    assert client.get(MEMORIES, headers=known).status_code == 200
    run(limited.database_url, "alter function take_cells rename to lost_cells")
    try:
        refused = client.get(MEMORIES, headers={**fresh, **somewhere})
        assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert int(refused.headers["Retry-After"]) == 1
        assert client.get(MEMORIES, headers={**WRONG, **somewhere}).status_code == 503
        assert client.get("/health").status_code == 200
        admitted, _ = until_refused(client, MEMORIES, known, most=200)
        assert {answer.status_code for answer in admitted} == {200}
        assert 45 <= len(admitted) <= 115
    finally:
        run(limited.database_url, "alter function lost_cells rename to take_cells")
