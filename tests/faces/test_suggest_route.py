"""POST /api/v1/memories/suggest on a running server, value by value, and as recallbricks 1.5.1 reads it."""

from __future__ import annotations

from uuid import uuid4

import httpx2
import pytest
from recallbricks import RecallBricks

TEXTS = (
    "Ada prefers green tea in the morning",
    "The deployment to production is on Friday at noon",
    "Grace keeps bees on her roof",
    "The spare key hangs behind the kitchen door",
)
BEES = "Where does Grace keep her bees?"


@pytest.fixture
def post(server):
    """Call the API for a user nobody has seen."""
    headers = {"X-API-Key": server.service_key, "X-User-ID": f"user-{uuid4().hex}"}
    with httpx2.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=30) as client:
        yield lambda path, body: client.post(path, json=body)


@pytest.fixture
def ids(post):
    answer = post("/memories/batch", {"memories": [{"text": text} for text in TEXTS]})
    return [memory["id"] for memory in answer.json()["memories"]]


def test_a_suggestion_says_all_that_the_contract_asks(post, ids):
    answer = post("/memories/suggest", {"context": BEES})
    assert answer.status_code == 200
    assert int(answer.headers["X-Memory-Version"]) >= 1
    body = answer.json()
    assert (body["count"], body["context"], body["min_confidence"]) == (len(body["suggestions"]), BEES, 0.6)
    assert (body["withheld"], body["abstained"]) == (False, False)
    assert set(body["weights_used"]) == {"usage", "recency", "helpfulness", "relationship"}
    best = body["suggestions"][0]
    assert best["memory_id"] == best["id"] == ids[2]
    assert best["text"] == best["content"] == TEXTS[2]
    assert 0.6 <= best["suggestion_score"] == best["confidence"] <= 1
    assert best["relevance_context"] == "grace, keep, bees"
    assert 0.5 < best["similarity"] <= 1
    assert best["analytics"] == {
        "usage_count": 0,
        "helpfulness_score": 0.5,
        "recency_score": 0.0,
        "access_frequency": "unused",
        "days_since_access": None,
    }
    assert best["reasoning"] == {
        "semantic_match": "high" if best["similarity"] > 0.7 else "medium",
        "frequently_used": False,
        "recently_accessed": False,
        "high_helpfulness": False,
        "weights_applied": body["weights_used"],
    }
    assert isinstance(best["related_memories"], list)


def test_use_and_feedback_show_in_the_reasoning(post, ids):
    for _ in range(11):
        post("/memories/suggest", {"context": "asdf qwer", "used_ids": [ids[2]]})
    for _ in range(3):
        post(f"/memories/{ids[2]}/feedback", {"helpful": True})
    best = post("/memories/suggest", {"context": BEES}).json()["suggestions"][0]
    assert best["analytics"]["usage_count"] == 11
    assert best["analytics"]["access_frequency"] == "medium"
    assert best["analytics"]["helpfulness_score"] == pytest.approx(0.8)
    assert best["analytics"]["recency_score"] == 1
    flags = ("frequently_used", "recently_accessed", "high_helpfulness")
    assert [best["reasoning"][name] for name in flags] == [True, True, True]


def test_strong_relationships_are_attached(post, ids):
    related = {"memory_id": ids[2], "related_memory_id": ids[3], "relationship_type": "caused_by", "strength": 0.9}
    assert post("/relationships", related).status_code < 300
    best = post("/memories/suggest", {"context": BEES}).json()["suggestions"][0]
    assert best["related_memories"][0] == {
        "related_memory_id": ids[3],
        "relationship_type": "caused_by",
        "strength": 0.9,
    }


def test_reasoning_can_be_left_out_and_query_is_another_name(post, ids):
    body = post("/memories/suggest", {"query": BEES, "include_reasoning": False, "limit": 1}).json()
    assert (body["context"], [one["id"] for one in body["suggestions"]]) == (BEES, [ids[2]])
    assert "reasoning" not in body["suggestions"][0]


@pytest.mark.usefixtures("ids")
def test_an_unrelated_context_is_answered_with_nothing(post):
    body = post("/memories/suggest", {"context": "What is the capital of Mongolia?"}).json()
    assert (body["suggestions"], body["count"], body["abstained"], body["withheld"]) == ([], 0, True, False)
    assert post("/memories/suggest", {"context": "What is green tea?", "min_confidence": 0}).json()["count"] == 4


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "context"),
        ({"context": "  "}, "context"),
        ({"context": "x" * 10_001}, "context"),
        ({"context": "x", "limit": 0}, "limit"),
        ({"context": "x", "min_confidence": 1.5}, "min_confidence"),
        ({"context": "x", "used_ids": ["none"]}, "used_ids[0]"),
    ],
)
def test_bad_input_is_refused_naming_the_field(post, body, field):
    refused = post("/memories/suggest", body)
    assert (refused.status_code, refused.json()["details"]["field"]) == (400, field)


def test_the_published_client_reads_suggestions(server, new_key):
    saved = {}
    user = RecallBricks(api_key=new_key, base_url=f"{server.url}/api/v1")
    marker = uuid4().hex
    for text in (f"Project {marker} ships with the ferry from Oslo", "The cat sleeps on the printer"):
        saved[text] = user.save(text)["id"]
    found = user.suggest_memories(f"How does project {marker} ship?", limit=3)
    best = found[0]
    assert best.id == saved[best.content]
    assert best.content.startswith(f"Project {marker}")
    assert 0.6 <= best.confidence <= 1
    assert best.reasoning["semantic_match"] in {"high", "medium", "low"}
    assert marker in best.relevance_context
    assert user.suggest_memories("What is the boiling point of helium?") == []
