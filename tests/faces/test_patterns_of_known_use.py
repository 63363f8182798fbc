"""GET /memories/meta/patterns and POST /learning/analyze-enhanced after use that is known in every detail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.anyio

MORNINGS = 7
TEA, KETTLE, BEES, ROOF, SHED = range(5)
SAME_TEXT = "the roof is new since May!"
MEMORIES = (
    {"text": "Green tea is in the cupboard", "tags": ["kitchen", "tea"]},
    {"text": "The kettle is broken and hisses", "tags": ["kitchen"]},
    {"text": "Grace keeps bees. " * 10, "tags": ["garden"]},
    {"text": "The roof is new since May"},
    {"text": "Nobody opens that shed"},
)
MONDAY_AT_EIGHT = datetime(2026, 1, 5, 8, tzinfo=UTC)


@pytest.fixture
async def ids(inside):
    """Give five memories: two used together on seven mornings, one on two evenings, two never; three are related."""
    ids = []
    for memory in MEMORIES:
        # Ids rise with time.
        inside.clock.advance(1)
        ids.append((await inside.post("/memories", **memory))["id"])
    await inside.post("/relationships", memory_id=ids[TEA], related_memory_id=ids[BEES], type="caused_by", strength=0.9)
    await inside.post(
        "/relationships", memory_id=ids[KETTLE], related_memory_id=ids[BEES], type="caused_by", strength=0.4
    )
    await inside.post(f"/memories/{ids[TEA]}/feedback", helpful=True)
    monday = MONDAY_AT_EIGHT
    for day in range(MORNINGS):
        await use(inside, ids[TEA], monday + timedelta(days=day))
        await use(inside, ids[KETTLE], monday + timedelta(days=day, minutes=1))
        if day < 2:
            await use(inside, ids[BEES], monday + timedelta(days=day, hours=12))
    await inside.services.recall._uses.flush()
    return ids


async def use(inside, memory_id, at):
    inside.clock.advance((at - inside.clock.now()).total_seconds())
    await inside.get(f"/memories/{memory_id}")


async def test_every_figure_of_the_patterns_is_what_happened(inside, ids):
    body = await inside.get("/memories/meta/patterns")
    assert body["most_useful_tags"] == [
        {"tag": "tea", "avg_helpfulness": 0.6, "usage_count": 7},
        {"tag": "kitchen", "avg_helpfulness": 0.55, "usage_count": 14},
        {"tag": "garden", "avg_helpfulness": 0.5, "usage_count": 2},
    ]
    pair = sorted(ids[:2])
    (together,) = body["frequently_accessed_together"]
    assert sorted((together["memory_id_1"], together["memory_id_2"])) == pair
    assert together["co_access_count"] == MORNINGS
    (co_access,) = body["co_access_patterns"]
    assert (sorted(co_access["memory_ids"]), co_access["frequency"], co_access["strength"]) == (pair, MORNINGS, 1.0)
    assert body["underutilized_memories"] == [
        {"id": ids[place], "text": MEMORIES[place]["text"], "days_since_access": None, "usage_count": 0}
        for place in (ROOF, SHED)
    ]
    times = body["access_time_patterns"]
    assert list(times["hourly_distribution"]) == [str(hour) for hour in range(24)]
    assert {hour: count for hour, count in times["hourly_distribution"].items() if count} == {"8": 14, "20": 2}
    assert times["daily_distribution"] == {
        "monday": 3, "tuesday": 3, "wednesday": 2, "thursday": 2, "friday": 2, "saturday": 2, "sunday": 2,
    }  # fmt: skip
    assert body["optimal_relationship_types"] == {"caused_by": 0.65}
    assert body["summary"] == {
        "total_memories": 5, "total_accesses": 16, "avg_helpfulness": 0.52, "active_memories": 3, "stale_memories": 0,
    }  # fmt: skip
    assert body["frequently_accessed"] == [
        {"memory_id": ids[TEA], "access_count": 7, "last_accessed": "2026-01-11T08:00:00Z"},
        {"memory_id": ids[KETTLE], "access_count": 7, "last_accessed": "2026-01-11T08:01:00Z"},
        {"memory_id": ids[BEES], "access_count": 2, "last_accessed": "2026-01-06T20:00:00Z"},
    ]
    for one in body["temporal_patterns"]:
        assert one["memory_ids"]
        assert one["occurrences"] == one["frequency"] >= 3
        assert 0 <= one["p_value"] < 0.05


async def test_days_bound_what_is_counted_but_not_what_is_stored(inside, ids):
    # Sunday's and Saturday's mornings lie within two days of Sunday noon.
    inside.clock.advance(4 * 3600)
    body = await inside.get("/analytics/patterns", days=2)
    assert (body["summary"]["total_accesses"], body["summary"]["total_memories"]) == (4, 5)
    assert [one["access_count"] for one in body["frequently_accessed"]] == [2, 2]
    assert body["frequently_accessed_together"] == []
    assert sum(body["access_time_patterns"]["daily_distribution"].values()) == 4
    assert len(ids) == 5


async def test_what_was_not_used_for_ninety_days_is_stale_and_underutilised(inside, ids):
    inside.clock.advance(91 * 86_400)
    body = await inside.get("/memories/meta/patterns")
    assert (body["summary"]["active_memories"], body["summary"]["stale_memories"]) == (0, 3)
    found = {one["id"]: one for one in body["underutilized_memories"]}
    assert found[ids[TEA]] == {
        "id": ids[TEA], "text": MEMORIES[TEA]["text"], "days_since_access": 91.0, "usage_count": 7,
    }  # fmt: skip
    assert found[ids[BEES]]["text"] == MEMORIES[BEES]["text"][:100]


async def test_the_enhanced_analysis_adds_times_and_duplicates(inside, ids):
    same = (await inside.post("/memories", text=SAME_TEXT))["id"]
    answer = await inside.post("/learning/analyze-enhanced")
    assert answer["success"] is True
    result = answer["result"]
    first, second = result["phase1"], result["phase2"]
    assert result["timestamp"] == first["timestamp"]
    assert result["processing_time_ms"] == first["processing_time_ms"] > 0
    (suggested,) = first["relationship_suggestions"]
    assert sorted((suggested["memory_id"], suggested["related_memory_id"])) == sorted(ids[:2])
    # Both are tagged kitchen: 0.6 + 7/100 + 0.1.
    assert (suggested["confidence"], suggested["co_access_count"]) == (0.77, MORNINGS)
    assert set(first["weight_adjustments"]) == {"related_to", "caused_by", "similar_to", "follows", "contradicts"}
    assert (first["stale_memory_count"], first["applied_count"]) == (3, 0)
    patterns = (await inside.get("/memories/meta/patterns"))["temporal_patterns"]
    assert second["temporal_patterns_detected"] == second["temporal_patterns_stored"] == len(patterns)
    assert (second["duplicate_groups_found"], len(second["duplicates"])) == (1, 1)
    (duplicate,) = second["duplicates"]
    assert duplicate["suggestion"] == "merge"
    assert duplicate["similarity"] == pytest.approx(1, abs=0.01)
    assert dict(zip(duplicate["memory_ids"], duplicate["texts"], strict=True)) == {
        ids[ROOF]: MEMORIES[ROOF]["text"],
        same: SAME_TEXT,
    }


async def test_an_analysis_applies_what_it_is_sure_of_when_it_is_told_to(inside, ids):
    result = (await inside.post("/learning/analyze", auto_apply=True))["result"]
    assert result["applied_count"] == len(result["relationship_suggestions"]) == 1
    (suggested,) = result["relationship_suggestions"]
    listed = (await inside.get(f"/relationships/memory/{suggested['memory_id']}"))["relationships"]
    (made,) = [one for one in listed if one["relationship_type"] == "related_to"]
    assert sorted((suggested["memory_id"], made["related_memory_id"])) == sorted(ids[:2])
    assert made["strength"] == 0.77
    status = await inside.get("/learning/status")
    assert (status["total_analyses"], status["relationships_created"], status["enabled"]) == (1, 1, False)
    assert (status["next_scheduled_run"], status["next_scheduled"], status["status"]) == (None, None, "available")
    assert status["last_run"] == status["last_analysis"] == inside.clock.now().isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("method", "path", "request_of", "field"),
    [
        ("GET", "/memories/meta/patterns", {"params": {"days": 0}}, "days"),
        ("GET", "/analytics/patterns", {"params": {"days": 366}}, "days"),
        ("GET", "/learning/metrics", {"params": {"days": "x"}}, "days"),
        ("GET", "/analytics/learning-metrics", {"params": {"metric_type": "weight"}}, "metric_type"),
        ("POST", "/learning/analyze", {"json": {"auto_apply": "yes"}}, "auto_apply"),
        ("POST", "/learning/analyze-enhanced", {"json": {"auto_apply": 1}}, "auto_apply"),
        ("POST", "/learning/apply-suggestions", {"json": {"suggestions": {}}}, "suggestions"),
        ("POST", "/learning/apply-suggestions", {"json": {"suggestions": [{}]}}, "suggestions[0].memory_id"),
        ("POST", "/learning/apply-suggestions", {"json": {"min_confidence": 2}}, "min_confidence"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(caller, refused, method, path, request_of, field):
    answer = caller.request(method, f"/api/v1{path}", **request_of)
    code = "MISSING_REQUIRED_FIELD" if field.endswith("memory_id") else "VALIDATION_ERROR"
    refused(answer, 400, code, field=field)
