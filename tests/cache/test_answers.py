"""Answers from the caches, as callers see them."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from workers import API, Worker, working

from pronoia.domain.identifiers import Scope
from pronoia.services.answers import MAINTENANCE, METRICS, PATTERNS, PREDICT, SEARCH, SUGGEST, own_moment
from pronoia.services.suggest import ALWAYS_SHOWN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pronoia.services.caches import Kind
    from pronoia.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

Question = tuple["Kind", str, str, dict[str, Any]]
SENTENCES = (
    "Ada keeps bees in the orchard behind the house",
    "The orchard needs pruning in late February",
    "Grace repairs the compiler on Tuesdays",
    "The bees were moved to the southern hives",
    "The bees were moved to the southern hives.",
)
SEARCHING: Question = (SEARCH, "POST", "/memories/search", {"json": {"query": "where are the bees", "limit": 5}})
BY_USE = {"query": "bees in the orchard", "weight_by_usage": True, "decay_old_memories": True}
SUGGESTING: Question = (
    SUGGEST, "POST", "/memories/suggest", {"json": {"context": "the bees in the orchard", "min_confidence": 0.1}},
)  # fmt: skip
PREDICTING: Question = (PREDICT, "GET", "/memories/predict", {"params": {"limit": 5, "min_confidence": 0.0}})
BY_CONTEXT = {"current_context": "the hives", "min_confidence": 0.0}
MAINTAINING: Question = (MAINTENANCE, "GET", "/learning/maintenance-suggestions", {})
MEASURING: Question = (METRICS, "GET", "/learning/metrics", {"params": {"days": 7}})
QUESTIONS: tuple[Question, ...] = (
    MEASURING,
    SEARCHING,
    (SEARCH, "POST", "/memories/search", {"json": BY_USE}),
    SUGGESTING,
    PREDICTING,
    (PREDICT, "GET", "/memories/predict", {"params": BY_CONTEXT}),
    MAINTAINING,
    (PATTERNS, "GET", "/memories/meta/patterns", {"params": {"days": 30}}),
)


@pytest.fixture
async def worker(database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    # Uses are written when a test settles, not between two answers that it compares.
    monkeypatch.setattr("pronoia.services.uses.FLUSH_SECONDS", 3_600.0)
    async with working(database_url, clock, uuid4()) as worker:
        yield worker


@pytest.fixture
async def ids(worker: Worker, clock: ManualClock, database_url: str) -> list[str]:
    """Give memories that were used, some of them often."""
    ids: list[str] = []
    for text in SENTENCES:
        ids.append((await worker.remember(text))[0])
        clock.advance(1)
    for number in range(30):
        clock.advance(97)
        await worker.call("GET", f"/memories/{ids[number * number % 4]}")
    clock.advance(1_000)
    await worker.settle()
    await linked(database_url)
    await worker.call("GET", "/memories", headers={"X-Memory-Version": "6"})
    return ids


async def linked(database_url: str) -> None:
    """Wait until the background has found the relationships."""
    connection = await asyncpg.connect(database_url, timeout=10)
    async with asyncio.timeout(20):
        while await connection.fetchval("select exists (select from work)"):  # noqa: ASYNC110 - it tells only when asked
            await asyncio.sleep(0.01)
    await connection.close()


async def answer(worker: Worker, question: Question) -> bytes:
    _, method, path, request = question
    content = (await worker.call(method, path, **request)).content
    await worker.services.caches.settled()
    return content


@contextmanager
def without_caches(worker: Worker) -> Iterator[None]:
    caches = worker.services.caches
    tiers, caches._tiers = caches._tiers, []
    yield
    caches._tiers = tiers


async def computed(worker: Worker, question: Question) -> bytes:
    with without_caches(worker):
        return await answer(worker, question)


def searches(metrics: bytes) -> int:
    return json.loads(metrics)["learning_params"]["total_searches"]


def share_found(worker: Worker, kind: Kind) -> float | None:
    return worker.services.caches.hit_rates(kind)["combined"]


def scope_of(worker: Worker) -> Scope:
    (resident,) = worker.services.recall._residents._residents.values()
    return resident.working_set.scope


@pytest.mark.usefixtures("ids")
async def test_an_answer_from_each_cache_equals_a_computed_one_in_every_byte(
    worker: Worker, database_url: str, clock: ManualClock
) -> None:
    first = [await answer(worker, question) for question in QUESTIONS]
    for question, body in zip(QUESTIONS[1:], first[1:], strict=True):
        assert await answer(worker, question) == body
        assert share_found(worker, question[0]) == 0.5 or question[0] in (SEARCH, PREDICT)
        assert await computed(worker, question) == body
    async with (
        working(database_url, clock, secret=worker.secret) as elsewhere,
        working(database_url, clock, secret=worker.secret, cache_tiers=0) as uncached,
    ):
        for question, body in zip(QUESTIONS, first, strict=True):
            assert await answer(elsewhere, question) == body
            assert share_found(elsewhere, question[0]) == (1.0 if question[0].tiers > 1 else 0.0)
            if question[0] is not METRICS:  # which counts the searches that were made meanwhile
                assert await answer(uncached, question) == body


@pytest.mark.usefixtures("ids")
async def test_a_report_that_was_kept_counts_searches_until_the_moment_it_names(
    worker: Worker, clock: ManualClock
) -> None:
    before = await answer(worker, MEASURING)
    await answer(worker, SEARCHING)
    assert await answer(worker, MEASURING) == before
    assert share_found(worker, METRICS) == 0.5
    clock.advance(300)
    assert searches(await answer(worker, MEASURING)) == searches(before) + 1


def test_users_are_answered_as_of_moments_of_their_own(clock: ManualClock) -> None:
    """At common moments the answers of all users would be computed at once."""
    scopes = [Scope(UUID(int=1), f"user-{number}") for number in range(300)]
    begins = clock.now()
    first = {scope: own_moment(begins, 300, scope) for scope in scopes}
    assert all(0 <= (begins - moment).total_seconds() < 300 for moment in first.values())
    moved = 0
    for _ in range(300):
        clock.advance(1)
        last = {scope: own_moment(clock.now(), 300, scope) for scope in scopes}
        changed = [scope for scope in scopes if last[scope] != first[scope]]
        assert all((last[scope] - first[scope]).total_seconds() == 300 for scope in changed)
        assert len(changed) - moved < 10
        moved = len(changed)
    assert moved == len(scopes)


async def test_whatever_is_done_the_next_answer_is_as_if_nothing_were_kept(
    worker: Worker, ids: list[str], clock: ManualClock
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - to run a failure again
    draw = random.Random(seed)  # noqa: S311 - chooses what to do
    worker.services.suggest._draw = lambda: 1.0  # withholds none
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/memories", {"json": {"text": "Wax is made by the bees in the orchard"}}),
        ("GET", f"/memories/{ids[0]}", {}),
        ("POST", f"/memories/{ids[0]}/feedback", {"json": {"helpful": True, "context": "where are the bees"}}),
        ("POST", "/memories/suggest", {"json": {"context": "the bees", "used_ids": [ids[1]]}}),
        ("POST", "/memories/search", {"json": {"query": "where are the bees", "learning_mode": True}}),
        ("PUT", f"/memories/{ids[2]}", {"json": {"text": "Grace repairs the bees"}}),
        ("DELETE", f"/memories/{ids[3]}", {}),
    ]
    draw.shuffle(changes)
    for verb, path, content in changes:
        clock.advance(draw.choice((0.5, 40, 400)))
        await worker.call(verb, path, **content)
        for settled in (False, True):
            if settled:
                await worker.settle()
                await worker.services.ranking_weights.settled()
            for question in QUESTIONS[1:]:
                await answer(worker, question)
                assert await answer(worker, question) == await computed(worker, question), (verb, path, question)
    assert (share_found(worker, SEARCH) or 0) > 0.2


async def test_a_hit_has_the_effects_of_an_answer(worker: Worker, ids: list[str]) -> None:
    outcomes = worker.services.recall._outcomes
    for _ in range(3):
        for question in (SEARCHING, SUGGESTING, PREDICTING):
            await answer(worker, question)
    assert [share_found(worker, kind) for kind in (SEARCH, SUGGEST, PREDICT)] == [2 / 3] * 3
    waiting = outcomes._open[scope_of(worker)]
    assert sorted(one.kind.value for one in waiting) == ["prediction"] * 3 + ["search"] * 3 + ["suggestion"] * 3
    first, second, third = (one.confidences for one in waiting if one.kind == "prediction")
    assert first == second == third
    assert {str(one) for one in first} == set(ids)
    assert searches(await answer(worker, MEASURING)) == 3


async def test_a_search_that_learns_counts_a_use_each_time(worker: Worker, ids: list[str]) -> None:
    search = {"json": {"query": "the compiler of Grace", "limit": 1, "learning_mode": True}}
    counts = []
    for _ in range(3):
        await worker.settle()
        (hit,) = (await worker.call("POST", "/memories/search", **search)).json()["memories"]
        assert hit["id"] == ids[2]
        counts.append(hit["usage_count"])
    assert counts == [0, 1, 2]


@pytest.mark.usefixtures("ids")
async def test_a_suggestion_from_the_cache_is_withheld_by_chance_as_any_other(worker: Worker) -> None:
    async def suggest() -> dict[str, Any]:
        return (await worker.call("POST", "/memories/suggest", **SUGGESTING[3])).json()

    shown = [await suggest() for _ in range(ALWAYS_SHOWN)]
    assert shown[0]["count"] > 0
    assert shown == [shown[0]] * ALWAYS_SHOWN
    worker.services.suggest._draw = lambda: 0.0
    assert await suggest() == shown[0] | {"suggestions": [], "count": 0, "withheld": True}
    worker.services.suggest._draw = lambda: 0.9
    assert await suggest() == shown[0]


@pytest.mark.usefixtures("ids")
async def test_a_hundred_who_ask_at_once_compute_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = 0
    compute = worker.services.maintenance.suggestions

    async def count(*arguments: Any) -> Any:
        nonlocal runs
        runs += 1
        return await compute(*arguments)

    monkeypatch.setattr(worker.services.maintenance, "suggestions", count)
    bodies = {await one for one in asyncio.as_completed([answer(worker, MAINTAINING) for _ in range(100)])}
    assert len(bodies) == runs == 1


async def test_what_one_worker_wrote_another_reads_from_the_version_that_it_made(
    worker: Worker, database_url: str, clock: ManualClock
) -> None:
    async with working(database_url, clock, secret=worker.secret) as elsewhere:
        for number in range(100):
            writer, reader = (worker, elsewhere) if number % 2 else (elsewhere, worker)
            memory_id, version = await writer.remember(f"Bee number {number} is called Bertha {number}")
            seen = {"headers": {"X-Memory-Version": str(version)}}
            _, method, path, request = QUESTIONS[number % len(QUESTIONS)]
            answered = await reader.call(method, path, **request, **seen)
            assert int(answered.headers["x-memory-version"]) >= version
            search = {"json": {"query": f"Bertha {number}", "limit": 100, "min_score": 0.0}}
            found = await reader.call("POST", "/memories/search", **search, **seen)
            assert memory_id in {one["id"] for one in found.json()["memories"]}


@pytest.mark.usefixtures("ids")
async def test_no_answer_is_shared_by_users_or_organisations(
    worker: Worker, database_url: str, clock: ManualClock
) -> None:
    own = [await answer(worker, question) for question in QUESTIONS]
    async with working(database_url, clock, uuid4()) as another:
        for text in SENTENCES:
            await another.remember(text.upper())
            await worker.remember(text.upper(), user="eve")
        for question, body in zip(QUESTIONS, own, strict=True):
            _, method, path, request = question
            for stranger, user in ((another, "ada"), (worker, "eve")):
                foreign = (await stranger.call(method, path, user, **request)).content
                assert foreign != body
                assert not any(text.encode() in foreign for text in SENTENCES)


async def held_bytes(worker: Worker, database_url: str) -> bytes:
    """Give all that the three tiers hold."""
    local = worker.services.caches._tiers[0]._tier._store._kept
    connection = await asyncpg.connect(database_url, timeout=10)
    rows = await connection.fetch("select value from shared_answers union all select value from kept_answers")
    await connection.close()
    return b"".join([*(kept.value.value for kept in local.values()), *(row["value"] for row in rows)])


@pytest.mark.parametrize("whole_user", [False, True])
async def test_what_was_forgotten_is_in_no_tier(
    worker: Worker, ids: list[str], database_url: str, whole_user: bool
) -> None:
    for question in QUESTIONS:
        await answer(worker, question)
    assert b"southern hives" in await held_bytes(worker, database_url)
    if whole_user:
        await worker.services.memories.forget(scope_of(worker))
    else:
        for memory_id in ids[3:]:
            await worker.call("DELETE", f"/memories/{memory_id}")
    assert b"southern hives" not in await held_bytes(worker, database_url)
    for question in QUESTIONS:
        assert b"southern hives" not in await answer(worker, question)


async def test_an_answer_about_what_was_forgotten_meanwhile_is_not_kept(
    worker: Worker, ids: list[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = worker.services.maintenance.suggestions

    async def forget_meanwhile(*arguments: Any) -> Any:
        found = await compute(*arguments)
        await worker.services.memories.delete(scope_of(worker), UUID(ids[3]))
        return found

    monkeypatch.setattr(worker.services.maintenance, "suggestions", forget_meanwhile)
    assert b"southern hives" in await answer(worker, MAINTAINING)
    assert b"southern hives" not in await held_bytes(worker, database_url)


@pytest.mark.usefixtures("ids")
async def test_what_is_wrong_with_a_question_is_said_each_time(worker: Worker) -> None:
    for _ in range(2):
        refused = await worker._http.post(
            f"{API}/memories/search",
            headers={"X-API-Key": worker.secret, "X-User-ID": "ada"},
            json={"query": " "},
        )
        assert refused.status_code == 400
        assert refused.json()["details"]["field"] == "query"
