"""POST /learning/analyze and apply-suggestions after use that is known, and by whom they may be called."""

from __future__ import annotations

from uuid import uuid4

import pytest

from pronoia.domain.records import Permission, Plan

pytestmark = pytest.mark.anyio

MORNINGS = 7
DAY_SECONDS = 86_400
TOGETHER = ("Green tea is in the cupboard", "The kettle is broken", "Grace keeps bees")
# Of nothing in common, so that no relationship is found behind the test's back.
APART = (
    "Rent is due",
    "Snow in Oslo",
    "Jazz piano",
    "Blue paint",
    "Tax form",
    "Marathon shoes",
    "Goat cheese",
    "Chess",
)


@pytest.fixture
async def ids(inside):
    """Give three memories that are used together on seven mornings; others are used alone, twice a day."""
    written = await inside.post("/memories/batch", memories=[{"text": text} for text in (*TOGETHER, *APART)])
    ids = [memory["id"] for memory in written["memories"]]
    others = ids[3:]
    for day in range(MORNINGS):
        inside.clock.advance(DAY_SECONDS - 15_000)
        for memory_id in ids[:3]:
            await inside.get(f"/memories/{memory_id}")
        for memory_id in (others[day], others[(day + 3) % 8]):
            inside.clock.advance(7_500)
            await inside.get(f"/memories/{memory_id}")
    await inside.services.recall._uses.flush()
    return ids


async def analyse(inside):
    return (await inside.post("/learning/analyze"))["result"]


def pairs_of(suggestions):
    return {frozenset((one["memory_id"], one["related_memory_id"])) for one in suggestions}


async def test_analysing_again_changes_no_confidence_and_no_relationship(inside, ids):
    first = await analyse(inside)
    suggestions = first["relationship_suggestions"]
    assert pairs_of(suggestions) == {frozenset(ids[:2]), frozenset(ids[1:3]), frozenset((ids[0], ids[2]))}
    assert {(one["confidence"], one["co_access_count"], one["suggested_type"]) for one in suggestions} == {
        (0.67, MORNINGS, "related_to")
    }
    assert {one["reason"] for one in suggestions} == {"Used together in 7 sessions."}
    assert (first["clusters_detected"], first["stale_memory_count"], first["applied_count"]) == (1, 0, 0)
    again = await analyse(inside)
    timeless = ("relationship_suggestions", "weight_adjustments", "clusters_detected")
    assert [again[name] for name in timeless] == [first[name] for name in timeless]
    patterns = (await inside.get("/memories/meta/patterns"))["temporal_patterns"]
    await analyse(inside)
    inside.clock.advance(301)
    assert (await inside.get("/memories/meta/patterns"))["temporal_patterns"] == patterns != []
    assert await inside.get("/relationships/types") == []
    assert (await inside.get("/learning/status"))["total_analyses"] == 3


async def test_only_the_suggestions_that_are_named_are_applied(inside, ids):
    one, *others = (await analyse(inside))["relationship_suggestions"]
    wanted = {"suggestion_ids": [one["id"], "related_to:gone:gone"], "min_confidence": 0.6}
    assert await inside.post("/learning/apply-suggestions", **wanted) == {
        "success": True, "applied_count": 1, "total_suggestions": 2,
    }  # fmt: skip
    (made,) = (await inside.get(f"/relationships/memory/{one['memory_id']}"))["relationships"]
    assert (made["related_memory_id"], made["relationship_type"], made["strength"]) == (
        one["related_memory_id"], "related_to", 0.67,
    )  # fmt: skip
    again = await inside.post("/learning/apply-suggestions", **wanted)
    assert (again["applied_count"], again["total_suggestions"]) == (0, 2)
    none = await inside.post("/learning/apply-suggestions", suggestion_ids=[], min_confidence=0.6)
    assert (none["applied_count"], none["total_suggestions"]) == (0, 0)
    unsure = await inside.post("/learning/apply-suggestions")
    assert (unsure["applied_count"], unsure["total_suggestions"]) == (0, 2)
    rest = await inside.post("/learning/apply-suggestions", min_confidence=0.6)
    assert (rest["applied_count"], rest["total_suggestions"]) == (len(others), 2)
    assert (await analyse(inside))["relationship_suggestions"] == []
    assert pairs_of([one, *others]) == {frozenset(ids[:2]), frozenset(ids[1:3]), frozenset((ids[0], ids[2]))}


@pytest.mark.parametrize("organisation", ["same", "other"])
async def test_ids_of_another_user_or_organisation_are_not_found(inside, ids, refused, organisation):
    owner = inside.scope.organisation_id if organisation == "same" else uuid4()
    _, key = await inside.services.keys.create(
        user_id="eve" if organisation == "same" else "ada", plan=Plan.ENTERPRISE, permissions=Permission,
        organisation_id=owner,
    )  # fmt: skip
    suggestion = (await analyse(inside))["relationship_suggestions"][0]

    async def call(method, path, **body):
        return await inside.http.request(method, f"/api/v1{path}", json=body or None, headers={"X-API-Key": key})

    applied = await call("POST", "/learning/apply-suggestions", suggestions=[suggestion], min_confidence=0)
    refused(applied, 404, "RESOURCE_NOT_FOUND", id=suggestion["memory_id"])
    named = await call("POST", "/learning/apply-suggestions", suggestion_ids=[suggestion["id"]], min_confidence=0)
    assert named.json()["applied_count"] == 0
    refused(await call("POST", f"/memories/{ids[0]}/feedback", helpful=True), 404, "RESOURCE_NOT_FOUND")
    found = (await call("POST", "/learning/analyze", auto_apply=True)).json()["result"]
    assert (found["relationship_suggestions"], found["clusters_detected"]) == ([], 0)
    assert (await call("GET", "/learning/metrics")).json()["total_memories"] == 0
    assert (await call("GET", "/learning/maintenance-suggestions")).json()["archive_candidates"] == []
    assert (await call("GET", "/memories/meta/patterns")).json()["summary"]["total_accesses"] == 0
    assert await inside.get("/relationships/types") == []


async def test_a_key_of_one_user_that_names_another_learns_for_its_own(inside, ids):
    _, service = await inside.services.keys.create(
        user_id=None, plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=inside.scope.organisation_id
    )
    suggestions = (await inside.post("/learning/analyze", user_id="eve"))["result"]["relationship_suggestions"]
    assert len(pairs_of(suggestions)) == 3
    assert (await inside.get("/learning/status"))["total_analyses"] == 1
    eve = {"X-API-Key": service, "X-User-ID": "eve"}
    assert (await inside.http.get("/api/v1/learning/status", headers=eve)).json()["total_analyses"] == 0
    assert ids
