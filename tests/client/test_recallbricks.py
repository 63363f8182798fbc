"""The published client recallbricks 1.5.1, unmodified. It reads a missing field as empty, so values are asserted."""

from __future__ import annotations

from uuid import uuid4

import httpx2
import pytest
from recallbricks import RecallBricks
from recallbricks.exceptions import AuthenticationError, NotFoundError, ValidationError


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


def test_an_update_replaces_what_it_names(own):
    with pytest.warns(DeprecationWarning, match="save_memory"):
        saved = own.save_memory("Tagged", tags=["old"], metadata={"kept": True})
    assert (saved["text"], saved["source"], saved["project_id"]) == ("Tagged", "api", "default")
    changed = own.update(saved["id"], tags=["new"], metadata={"kept": False})
    assert (changed["text"], changed["tags"], changed["metadata"]) == ("Tagged", ["new"], {"kept": False})


def test_all_memories_are_counted_and_limited(own):
    for number in range(3):
        own.save(f"Counted {number} {uuid4().hex}")
    listed = own.get_all(limit=2)
    assert (listed["count"], len(listed["memories"])) == (2, 2)
    assert listed["total"] >= 3
    assert own.search("Counted", limit=1)["count"] == 1


def test_weighted_results_carry_every_field_of_the_client(own):
    text = f"Grace keeps bees on the roof {uuid4().hex}"
    saved = own.save(text, tags=["bees"], metadata={"place": "roof"}, source="chat", project_id="garden")
    for _ in range(7):
        own.get(saved["id"])
    (found,) = own.search_weighted(text, limit=1, weight_by_usage=True, decay_old_memories=True)
    assert (found.id, found.source, found.project_id) == (saved["id"], "chat", "garden")
    assert (found.tags, found.metadata, found.created_at) == (["bees"], {"place": "roof"}, saved["created_at"])
    assert found.usage_boost > 1
    assert found.recency_boost > 1
    assert found.helpfulness_boost == 1
    assert own.search_weighted(text, min_helpfulness_score=0.9) == []


def test_recall_keeps_to_its_project_and_helpfulness(service, user):
    saved = service.save("Deploys happen on Friday", user_id=user, project_id="atlas", metadata={"importance": 0.7})
    found = service.recall("when do deploys happen", user_id=user, project_id="atlas", limit=5)
    assert (found["count"], found["total"]) == (1, 1)
    (memory,) = found["memories"]
    assert (memory["id"], memory["metadata"]) == (saved["id"], {"importance": 0.7})
    assert service.recall("when do deploys happen", user_id=user, project_id="other")["memories"] == []
    assert service.recall("when do deploys happen", user_id=user, min_helpfulness_score=0.9)["memories"] == []


@pytest.fixture
def fresh(server, new_key) -> RecallBricks:
    """Give a client of a user without memories."""
    return RecallBricks(api_key=new_key, base_url=f"{server.url}/api/v1")


THINGS = ("Grace keeps bees on her roof", "The standup begins at nine", "The spare key hangs behind the door")


def test_predictions_name_the_memory_with_its_reasons(fresh):
    saved = [fresh.save(text, metadata={"place": place}) for place, text in enumerate(THINGS)]
    (best,) = fresh.predict_memories(context="Where are the bees of Grace?", limit=1)
    assert (best.id, best.content, best.metadata) == (saved[0]["id"], THINGS[0], {"place": 0})
    assert 0.05 <= best.confidence_score <= 1
    assert best.reasoning.split(", ")[0] == "context_similarity"
    assert [one.id for one in fresh.predict_memories(recent_memory_ids=[saved[0]["id"]]) if one.id == best.id] == []


def test_suggestions_carry_confidence_reasons_and_common_words(fresh):
    saved = [fresh.save(text) for text in THINGS]
    (best,) = fresh.suggest_memories("Where does Grace keep her bees?", limit=1)
    assert (best.id, best.content, best.relevance_context) == (saved[0]["id"], THINGS[0], "grace, keep, bees")
    assert 0.6 <= best.confidence <= 1
    flags = ("frequently_used", "recently_accessed", "high_helpfulness")
    assert [best.reasoning[flag] for flag in flags] == [False, False, False]
    assert best.reasoning["semantic_match"] in {"high", "medium"}
    assert set(best.reasoning["weights_applied"]) == {"usage", "recency", "helpfulness", "relationship"}
    assert fresh.suggest_memories("What is the boiling point of helium?") == []


def test_metrics_count_what_was_used_and_judged(fresh, server, new_key):
    saved = [fresh.save(text) for text in THINGS]
    for _ in range(3):
        fresh.get(saved[0]["id"])
    feedback = f"{server.url}/api/v1/memories/{saved[0]['id']}/feedback"
    httpx2.post(feedback, json={"helpful": True}, headers={"X-API-Key": new_key}).raise_for_status()
    metrics = fresh.get_learning_metrics(days=7)
    assert (metrics.total_memories, metrics.active_memories, metrics.total_usage) == (3, 1, 3)
    assert metrics.avg_helpfulness == 0.53
    assert (metrics.trends.helpfulness_trend, metrics.trends.growth_rate) == ("stable", 0.0)


def test_patterns_tell_what_is_useful_and_what_is_never_used(fresh):
    saved = [fresh.save(text, tags=["home"]) for text in THINGS]
    fresh.get(saved[0]["id"])
    patterns = fresh.get_patterns(days=7)
    assert patterns.most_useful_tags == [{"tag": "home", "avg_helpfulness": 0.5, "usage_count": 1}]
    assert [(one["id"], one["text"], one["usage_count"]) for one in patterns.underutilized_memories] == [
        (memory["id"], memory["text"], 0) for memory in saved[1:]
    ]
    assert patterns.frequently_accessed_together == []
    assert {name: patterns.summary[name] for name in ("total_memories", "active_memories", "stale_memories")} == {
        "total_memories": 3,
        "active_memories": 1,
        "stale_memories": 0,
    }


def test_a_captured_function_is_saved_with_what_it_gave(own):
    # The decorator saves for no user, as a key of one user allows.
    secret = uuid4().hex

    @own.capture_function()
    def brew(tea):
        return f"{tea} {secret}"

    assert brew("green") == f"green {secret}"
    assert any("brew" in memory["text"] for memory in own.search(f"brew green {secret}")["memories"])


def test_refusals_reach_the_caller_as_the_clients_own_errors(own, service, server):
    with pytest.raises(ValidationError) as refused:
        service.get_all()
    assert "user_id is required for service token requests" in str(refused.value)
    with pytest.raises(NotFoundError):
        own.get(str(uuid4()))
    with pytest.raises(NotFoundError):
        own.get_relationships(str(uuid4()))
    with pytest.raises(AuthenticationError):
        RecallBricks(service_token="wrong", base_url=f"{server.url}/api/v1").save("x", user_id="ada")  # noqa: S106 - a wrong one


def test_related_memories_are_read_with_their_texts(own, server):
    one, other = own.save(f"One {uuid4().hex}"), own.save(f"Other {uuid4().hex}")
    body = {"memory_id": one["id"], "related_memory_id": other["id"], "type": "caused_by", "strength": 0.9}
    made = httpx2.post(f"{server.url}/api/v1/relationships", json=body, headers={"X-API-Key": server.key}).json()
    listed = own.get_relationships(one["id"])
    found = next(one for one in listed["relationships"] if one["id"] == made["id"])
    assert (found["relationship_type"], found["strength"]) == ("caused_by", 0.9)
    assert found["related_memory"]["text"] == other["text"]
    assert other["id"] in {node["id"] for node in own.get_graph_context(one["id"], depth=2)["nodes"]}


def test_relationships_and_graph_are_read(own):
    saved = own.save(f"A lonely memory {uuid4().hex}")
    assert own.get_relationships(saved["id"])["memoryId"] == saved["id"]
    # Others of this user may have been found to be alike by now.
    assert own.get_graph_context(saved["id"])["nodes"][0]["id"] == saved["id"]


def test_health_is_ok_and_a_wrong_key_is_refused(own, server):
    assert own.health()["status"] == "ok"
    with pytest.raises(AuthenticationError):
        RecallBricks(api_key="wrong", base_url=f"{server.url}/api/v1").get_all()
