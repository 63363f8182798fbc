"""The published client recallbricks 1.5.1, unmodified. It reads a missing field as empty, so values are asserted."""

from __future__ import annotations

from uuid import uuid4

import pytest
from recallbricks import RecallBricks
from recallbricks.exceptions import AuthenticationError, NotFoundError


@pytest.fixture
def user() -> str:
    return f"user-{uuid4().hex}"


@pytest.fixture
def service(server) -> RecallBricks:
    return RecallBricks(service_token=server.service_key, base_url=f"{server.url}/api/v1")


@pytest.fixture
def own(server) -> RecallBricks:
    return RecallBricks(api_key=server.key, base_url=f"{server.url}/api/v1")


def test_saved_memories_are_recalled_for_their_user_alone(service, user):
    saved = service.save("Ada prefers green tea", user_id=user, tags=["tea"], metadata={"room": "kitchen"})
    assert (saved["text"], saved["user_id"], saved["tags"]) == ("Ada prefers green tea", user, ["tea"])
    found = service.recall("what tea does Ada prefer", user_id=user)
    assert [memory["id"] for memory in found["memories"]] == [saved["id"]]
    assert 0 < found["memories"][0]["score"] <= 1
    assert service.recall("what tea does Ada prefer", user_id=f"{user}-other")["memories"] == []


def test_learning_extracts_and_organises(service, user):
    learned = service.learn("We decided to deploy on Friday", user_id=user)
    assert learned["metadata"]["category"] == "decision"
    assert "deploy" in learned["metadata"]["tags"]
    found = service.recall("when do we deploy", user_id=user, organized=True)
    assert found["categories"]["decision"]["count"] == 1


def test_a_memory_is_got_updated_and_deleted(own):
    saved = own.save("The first text")
    assert own.get(saved["id"])["text"] == "The first text"
    assert own.update(saved["id"], text="The second text")["text"] == "The second text"
    own.delete(saved["id"])
    with pytest.raises(NotFoundError):
        own.get(saved["id"])


def test_searches_and_lists_give_what_was_saved(own):
    text = f"Grace keeps bees {uuid4().hex}"
    saved = own.save(text)
    assert own.search(text)["memories"][0]["id"] == saved["id"]
    assert saved["id"] in {memory["id"] for memory in own.get_all()["memories"]}
    weighted = own.search_weighted(text, weight_by_usage=True)
    assert (weighted[0].id, weighted[0].text) == (saved["id"], text)
    assert weighted[0].relevance_score > 0


def test_relationships_and_graph_are_read(own):
    saved = own.save(f"A lonely memory {uuid4().hex}")
    assert own.get_relationships(saved["id"])["memoryId"] == saved["id"]
    assert [node["id"] for node in own.get_graph_context(saved["id"])["nodes"]] == [saved["id"]]


def test_health_is_ok_and_a_wrong_key_is_refused(own, server):
    assert own.health()["status"] == "ok"
    with pytest.raises(AuthenticationError):
        RecallBricks(api_key="wrong", base_url=f"{server.url}/api/v1").get_all()
