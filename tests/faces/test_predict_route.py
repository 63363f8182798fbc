"""Predictions on the wire, and as the published client reads them."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx2
import pytest
from recallbricks import RecallBricks

TEXTS = ("The standup begins at nine", "The metrics are on the second dashboard", "Grace keeps bees on her roof")


@pytest.fixture
def user() -> str:
    return f"user-{uuid4().hex}"


@pytest.fixture
def http(server, user):
    headers = {"X-Service-Token": server.service_key, "X-User-ID": user}
    with httpx2.Client(base_url=f"{server.url}/api/v1/memories", headers=headers) as http:
        yield http


@pytest.fixture
def ids(http) -> list[str]:
    return [http.post("", json={"text": text}).json()["id"] for text in TEXTS]


def test_a_prediction_carries_the_names_that_every_client_reads(http, ids):
    body = {"context": "How are the bees of Grace?", "limit": 2, "min_confidence": 0}
    answer = http.post("/predict", json=body).json()
    assert (answer["count"], answer["context"], answer["recent_memories"]) == (2, body["context"], [])
    best = answer["predictions"][0]
    assert best["memory_id"] == best["id"] == ids[2]
    assert best["text"] == best["content"] == TEXTS[2]
    assert best["confidence"] == best["confidence_score"]
    assert 0 < best["confidence"] <= 1
    assert "context_similarity" in best["reasons"]
    assert best["reasoning"] == ", ".join(best["reasons"])
    assert (best["helpfulness_score"], best["usage_count"]) == (0.5, 0)


def test_get_and_post_predict_the_same(http, ids):
    posted = http.post("/predict", json={"context": "bees", "recent_memory_ids": ids[:1], "min_confidence": 0}).json()
    for recent in (json.dumps(ids[:1]), ids[0]):
        query = {"current_context": "bees", "recent_memories": recent, "min_confidence": "0"}
        got = http.get("/predict", params=query).json()
        assert [one["id"] for one in got["predictions"]] == [one["id"] for one in posted["predictions"]]


def test_nothing_that_reaches_the_minimum_is_an_empty_answer(http, ids):
    answer = http.post("/predict", json={"min_confidence": 1}).json()
    assert (answer["predictions"], answer["count"]) == ([], 0)
    assert len(ids) == 3


def test_another_users_memories_are_never_predicted(server, ids, user):
    other = {"X-Service-Token": server.service_key, "X-User-ID": f"{user}-other"}
    body = {"context": "bees", "recent_memory_ids": ids, "min_confidence": 0}
    answer = httpx2.post(f"{server.url}/api/v1/memories/predict", headers=other, json=body).json()
    assert answer["predictions"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("recent_memories=x", "recent_memories"), ("recent_memories=[1]", "recent_memories"), ("limit=0", "limit")],
)
def test_bad_input_names_its_field(http, query, field):
    refused = http.get(f"/predict?{query}")
    assert (refused.status_code, refused.json()["details"]["field"]) == (400, field)


def test_the_published_client_reads_the_right_values(server, new_key):
    client = RecallBricks(api_key=new_key, base_url=f"{server.url}/api/v1")
    word = uuid4().hex
    for text in TEXTS:
        client.save(text)
    saved = client.save(f"The code word of today is {word}")
    predicted = client.predict_memories(context=f"What is the code word {word}?", limit=1)
    assert (predicted[0].id, predicted[0].content) == (saved["id"], saved["text"])
    assert 0.05 <= predicted[0].confidence_score <= 1
    assert "context_similarity" in predicted[0].reasoning
