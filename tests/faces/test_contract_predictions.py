"""The routes of contract 5.4 and 5.5 by value, as far as their defaults, aliases and bounds go."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

LONG = "The deployment runs every Friday at noon. " * 5
BEES = "Where does Grace keep her bees?"


def stored(caller, texts, **fields):
    memories = [{"text": text, **fields} for text in texts]
    return [one["id"] for one in caller.given_created("/memories/batch", json={"memories": memories})["memories"]]


def test_ten_are_predicted_and_five_suggested_unless_the_caller_says_otherwise(caller):
    stored(caller, [f"Grace keeps bees in hive {number}" for number in range(12)])
    for body, expected in (({}, 10), ({"limit": 12}, 12), ({"limit": 100_000}, 12), ({"limit": 1}, 1)):
        assert caller.given("POST", "/memories/predict", json={"min_confidence": 0, **body})["count"] == expected
    assert caller.given("GET", "/memories/predict?min_confidence=0")["count"] == 10
    asked = {"context": BEES, "min_confidence": 0}
    for body, expected in (({}, 5), ({"limit": 12}, 12), ({"limit": 100_000}, 12), ({"limit": 1}, 1)):
        assert caller.given("POST", "/memories/suggest", json={**asked, **body})["count"] == expected


def test_a_long_text_is_cut_in_a_prediction_and_whole_beside_it(caller):
    memory = caller.remember(LONG, metadata={"team": "web"})
    (one,) = caller.given("POST", "/memories/predict", json={"min_confidence": 0})["predictions"]
    assert (one["text"], one["content"]) == (f"{LONG[:150]}...", LONG)
    assert (one["id"], one["metadata"], one["related_to"]) == (memory["id"], {"team": "web"}, [])


def test_what_is_in_hand_is_told_back_and_what_is_related_to_it_says_so(caller):
    tea, kettle, bees = stored(caller, ["Green tea is in the cupboard", "The kettle is broken", "Grace keeps bees"])
    link = {"memory_id": tea, "related_memory_id": bees, "relationship_type": "caused_by", "strength": 0.9}
    caller.given_created("/relationships", json=link)
    for name in ("recent_memory_ids", "recent_memories"):
        answer = caller.given("POST", "/memories/predict", json={name: [tea], "min_confidence": 0})
        assert (answer["recent_memories"], answer["context"]) == ([tea], None)
        found = {one["id"]: one for one in answer["predictions"]}
        assert set(found) == {kettle, bees}
        assert found[bees]["related_to"] == [tea]
        assert "caused_by_relationship" in found[bees]["reasons"]
        assert found[kettle]["related_to"] == []
        assert "caused_by_relationship" not in found[kettle]["reasons"]


@pytest.mark.parametrize("name", ["context", "current_context"])
def test_the_context_has_two_names_in_either_method(caller, name):
    memory_id = stored(caller, ["The standup begins at nine", "Grace keeps bees on her roof"])[1]
    posted = caller.given("POST", "/memories/predict", json={name: BEES, "min_confidence": 0})
    got = caller.given("GET", "/memories/predict", params={name: BEES, "min_confidence": 0})
    for answer in (posted, got):
        assert (answer["context"], answer["predictions"][0]["id"]) == (BEES, memory_id)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"context": 7}, "context"),
        ({"context": "x" * 10_001}, "context"),
        ({"limit": 0}, "limit"),
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"recent_memory_ids": "x"}, "recent_memory_ids"),
        ({"recent_memory_ids": ["x"]}, "recent_memory_ids[0]"),
        ({"recent_memories": [str(uuid4())] * 101}, "recent_memories"),
    ],
)
def test_a_bad_prediction_is_refused_by_name(caller, refused, body, field):
    answer = caller.post("/api/v1/memories/predict", json=body)
    code = "INVALID_TEXT_LENGTH" if field == "context" and body["context"] != 7 else "VALIDATION_ERROR"
    assert refused(answer, 400, code, field=field)["error"] == "Bad Request"


def test_suggestions_keep_to_their_project(caller):
    (home,) = stored(caller, ["Grace keeps bees on her roof"], project_id="home")
    stored(caller, ["Grace keeps bees in the office"], project_id="work")
    asked = {"query": BEES, "project_id": "home", "min_confidence": 0}
    assert [one["id"] for one in caller.given("POST", "/memories/suggest", json=asked)["suggestions"]] == [home]
    assert caller.given("POST", "/memories/suggest", json={**asked, "project_id": "none"})["suggestions"] == []


@pytest.mark.anyio
async def test_habits_are_named_in_the_words_of_the_contract(inside):
    """Tea and kettle every morning, one after the other; the bees every evening."""
    texts = ["Green tea is in the cupboard", "The kettle is broken", "Grace keeps bees"]
    written = await inside.post("/memories/batch", memories=[{"text": text} for text in texts])
    tea, kettle, bees = (memory["id"] for memory in written["memories"])
    morning = inside.clock.now().replace(hour=8, minute=0)
    for day in range(1, 15):
        for memory_id, offset in ((tea, timedelta()), (kettle, timedelta(minutes=1)), (bees, timedelta(hours=12))):
            at = morning + timedelta(days=day) + offset
            inside.clock.advance((at - inside.clock.now()).total_seconds())
            await inside.get(f"/memories/{memory_id}")
    at = morning + timedelta(days=15)
    inside.clock.advance((at - inside.clock.now()).total_seconds())
    before = (await inside.post("/memories/predict"))["predictions"]
    assert before[0]["id"] == tea
    assert any(reason.startswith("temporal_pattern_") for reason in before[0]["reasons"])
    await inside.get(f"/memories/{tea}")
    inside.clock.advance(60)
    after = (await inside.post("/memories/predict"))["predictions"]
    assert after[0]["id"] == kettle
    assert "temporal_pattern_sequence" in after[0]["reasons"]
    assert after[0]["usage_count"] == 14
