"""The routes of contract 5.3, 5.10 and 5.11 on the real server, by value."""

from __future__ import annotations

from uuid import uuid4

import pytest

SEARCHES = ["/memories/search", "/memories/search-weighted"]
TEXTS = {
    "tea": "Ada drinks green tea in the afternoon",
    "bees": "Grace keeps bees behind the library",
    "deploy": "We decided to deploy on Friday",
}


@pytest.fixture
def three(caller):
    return {
        "tea": caller.remember(TEXTS["tea"], tags=["taste"], project_id="home", metadata={"importance": 0.7}),
        "bees": caller.remember(TEXTS["bees"], tags=["taste", "animals"], source="chat", agent_id="a"),
        "deploy": caller.remember(TEXTS["deploy"], session_id="s", speaker="Ada", metadata={"sprint": 12}),
    }


def ids(answer, key="results"):
    return [item["id"] for item in answer[key]]


@pytest.mark.parametrize("path", SEARCHES)
def test_one_item_serves_every_client(caller, three, path):
    answer = caller.given("POST", path, json={"query": "Who keeps bees?", "limit": 2})
    assert answer["results"] == answer["memories"]
    assert answer["count"] == answer["total"] == len(answer["results"])
    assert (answer["query"], answer["weighted"], answer["learning_mode"]) == ("Who keeps bees?", False, False)
    assert (answer["search_method"], answer["abstained"], answer["categories"]) == ("vector_similarity", False, {})
    best = answer["results"][0]
    stored = three["bees"]
    assert {name: best[name] for name in stored} == stored
    assert best["memory"] == stored
    assert best["score"] == best["weighted_score"] == best["relevance_score"] == answer["best_score"]
    assert 0 < best["base_similarity"] <= 1
    assert 0 < best["similarity"] <= 1
    assert (best["usage_boost"], best["helpfulness_boost"], best["recency_boost"]) == (1, 1, 1)
    assert (best["boosted_by_usage"], best["boosted_by_recency"], best["penalized_by_age"]) == (False, False, False)
    assert best["access_frequency"] == "unused"
    assert "explanation" not in best


def test_the_search_by_query_string_finds_the_same(caller, three):
    for name in ("q", "query"):
        answer = caller.given("GET", "/memories/search", params={name: "Who keeps bees?", "limit": 1})
        assert ids(answer) == [three["bees"]["id"]]
        assert answer["query"] == "Who keeps bees?"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, {"tea", "bees", "deploy"}),
        ({"project_id": "home"}, {"tea"}),
        ({"tags": ["taste"]}, {"tea", "bees"}),
        ({"tags": ["taste", "animals"]}, {"bees"}),
        ({"source": "chat"}, {"bees"}),
        ({"agent_id": "a"}, {"bees"}),
        ({"session_id": "s"}, {"deploy"}),
        ({"run_id": "s"}, {"deploy"}),
        ({"metadata": {"sprint": 12}}, {"deploy"}),
        ({"metadata": {"sprint": True}}, set()),
        ({"created_after": "2999-01-01T00:00:00Z"}, set()),
        ({"created_before": "2999-01-01T00:00:00Z"}, {"tea", "bees", "deploy"}),
        ({"threshold": 1}, set()),
        ({"min_helpfulness_score": 0.6}, set()),
        ({"limit": 1}, {"bees"}),
        ({"text": "ignored", "thresholds": 3}, {"tea", "bees", "deploy"}),
    ],
)
def test_conditions_narrow_a_search(caller, three, conditions, expected):
    answer = caller.given("POST", "/memories/search", json={"query": "Who keeps bees?", "min_score": 0, **conditions})
    assert {key for key, memory in three.items() if memory["id"] in ids(answer)} == expected
    assert len(answer["results"]) == len(expected)


def test_a_search_that_finds_nothing_good_says_so(caller, three):
    answer = caller.given("POST", "/memories/search", json={"query": "quantum chromodynamics", "min_score": 0.99})
    assert (answer["results"], answer["abstained"]) == ([], True)
    assert 0 <= answer["best_score"] < 0.99
    assert len(three) == 3


def test_an_empty_memory_abstains_from_nothing(caller):
    answer = caller.given("POST", "/memories/search", json={"query": "anything"})
    assert (answer["results"], answer["abstained"], answer["best_score"]) == ([], False, None)


def test_explain_shows_every_signal_and_its_weight(caller, three):
    answer = caller.given("POST", "/memories/search", json={"query": "Who keeps bees?", "explain": True})
    for result in answer["results"]:
        explained = result["explanation"]
        assert len({one["signal"] for one in explained}) == len(explained) > 3
        for one in explained:
            assert isinstance(one["weight"], float)
            assert one["contribution"] == pytest.approx(one["weight"] * one["standardised"], abs=1e-3)
    assert ids(answer)[0] == three["bees"]["id"]


def test_learning_mode_counts_results_as_used_whatever_else_is_asked(caller, three):
    caller.given("POST", "/memories/search", json={"query": "Who keeps bees?", "limit": 1, "learning_mode": True})
    again = caller.given("POST", "/memories/search", json={"query": "Who keeps bees?", "limit": 1})
    assert again["results"][0]["usage_count"] == 1
    assert again["results"][0]["access_frequency"] == "low"
    assert again["results"][0]["id"] == three["bees"]["id"]


def test_weighting_by_usage_lifts_what_is_used_much(caller, three):
    for _ in range(7):
        caller.given("GET", f"/memories/{three['bees']['id']}")
    query = {"query": "Who keeps bees?", "limit": 1, "weight_by_usage": True, "decay_old_memories": True}
    answer = caller.given("POST", "/memories/search", json=query)
    best = answer["results"][0]
    assert (answer["weighted"], best["boosted_by_usage"], best["boosted_by_recency"]) == (True, True, True)
    assert best["usage_boost"] > 1
    assert best["recency_boost"] > 1
    assert best["weighted_score"] > best["base_similarity"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_recall_gives_the_short_form(caller, three, method):
    asked = {"query": "Who keeps bees?", "limit": 1, "organized": "true" if method == "GET" else True}
    request = {"params": asked} if method == "GET" else {"json": asked}
    answer = caller.given(method, "/memories/recall", **request)
    (memory,) = answer["memories"]
    assert set(memory) == {"id", "text", "score", "metadata", "created_at"}
    assert (memory["id"], memory["text"]) == (three["bees"]["id"], TEXTS["bees"])
    assert 0 < memory["score"] <= 1
    assert (answer["count"], answer["total"], answer["query"]) == (1, 1, "Who keeps bees?")
    assert answer["categories"] == {
        "uncategorised": {"count": 1, "avg_score": round(memory["score"], 4), "summary": TEXTS["bees"]}
    }
    assert caller.given("GET", f"/memories/{memory['id']}")["usage_count"] == 2, "recalled and got"


def test_a_chat_history_is_recalled_by_its_session_in_order(caller):
    for number in range(4):
        caller.given_created("/memories/learn", json={
            "text": f"Turn {number}", "source": "langchain-session-chat-1",
            "metadata": {"session_id": "chat-1", "message_type": "human" if number % 2 == 0 else "ai"},
        })  # fmt: skip
    caller.remember("Elsewhere", session_id="chat-2")
    answer = caller.given("POST", "/memories/recall", json={"query": "session:chat-1", "limit": 100})
    assert [memory["text"] for memory in answer["memories"]] == [f"Turn {number}" for number in range(4)]
    assert [memory["metadata"]["message_type"] for memory in answer["memories"]] == ["human", "ai", "human", "ai"]
    last = caller.given("POST", "/memories/recall", json={"query": "session:chat-1", "limit": 2})
    assert [memory["text"] for memory in last["memories"]] == ["Turn 2", "Turn 3"]


def test_learning_reads_the_text_and_the_callers_metadata_wins(caller):
    text = "We decided that Grace Hopper must rotate the security password every month"
    metadata = {"category": "policy", "own": 1}
    learned = caller.given_created(
        "/memories/learn", json={"text": text, "metadata": metadata, "tier": 2, "sync": True}
    )
    assert learned["text"] == text
    assert (learned["metadata"]["category"], learned["metadata"]["own"]) == ("policy", 1)
    assert set(learned["metadata"]) == {"tags", "category", "entities", "importance", "summary", "own"}
    assert 0 <= learned["metadata"]["importance"] <= 1
    extracted = learned["extracted_metadata"]
    assert extracted["category"] == "decision"
    assert {"name": "Grace Hopper", "type": extracted["entities"][0]["type"]} in extracted["entities"]
    assert extracted["importance"] in {"low", "medium", "high", "critical"}
    assert 0 < extracted["confidence"] <= 1
    assert (learned["extraction_tier"], learned["extraction_method"], learned["metadata_version"]) == (
        1,
        "heuristic",
        1,
    )
    assert learned["processing"] is False
    assert learned["processing_time_ms"] < 10_000
    assert caller.given("GET", f"/memories/{learned['id']}")["metadata"] == learned["metadata"]


def test_upgrading_reads_a_stored_memory_again(caller):
    memory = caller.remember("We decided to deploy on Friday", metadata={"own": 1})
    upgraded = caller.given("POST", f"/memories/{memory['id']}/upgrade", json={})
    assert upgraded["id"] == memory["id"]
    assert (upgraded["metadata"]["category"], upgraded["metadata"]["own"]) == ("decision", 1)
    assert upgraded["extracted_metadata"]["category"] == "decision"


def test_the_runtime_gets_its_heuristics(caller):
    assert caller.given("GET", "/runtime/heuristics") == {
        "reflectionInterval": 3, "confidenceThreshold": 0.7, "maxContextMemories": 10, "batchFlushInterval": 5000,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/context", ""])
def test_a_context_is_chosen_with_the_conversation(caller, three, path):
    body = {
        "query": "Who keeps bees?", "limit": 1, "llm": "any-model",
        "conversation_history": ["hello there", {"role": "user", "content": "tell me of the library"}],
    }  # fmt: skip
    answer = caller.given("POST", path, json=body)
    (memory,) = answer["memories"]
    assert (memory["id"], memory["text"]) == (three["bees"]["id"], TEXTS["bees"])
    assert 0 < memory["relevance_score"] <= 1
    assert {"keeps", "bees", "library"} <= set(answer["keywords_extracted"])
    assert (answer["query"], answer["count"], answer["llm"], answer["crossLLM"]) == (
        "Who keeps bees?",
        1,
        "any-model",
        True,
    )
    assert answer["context"] == f"- {TEXTS['bees']}"
    assert answer["intelligence"] == {
        "keyword_extraction": True, "relevance_scoring": True, "conversation_context": True,
    }  # fmt: skip


def test_find_searches_with_a_query_and_lists_without(caller, three):
    found = caller.given("POST", "/search", json={"query": "Who keeps bees?", "limit": 1})
    assert (ids(found, "memories"), found["count"]) == ([three["bees"]["id"]], 1)
    listed = caller.given("POST", "/search", json={"tags": ["taste"]})
    assert ids(listed, "memories") == [three["bees"]["id"], three["tea"]["id"]]
    assert caller.given("POST", "/search", json={"project_id": "home"})["count"] == 1
    assert caller.given("POST", "/search", json={"source": uuid4().hex}) == {"memories": [], "count": 0}


def test_another_user_finds_nothing_of_it(caller, stranger, three):
    assert len(three) == 3
    for path in SEARCHES:
        assert stranger.given("POST", path, json={"query": "Who keeps bees?", "min_score": 0})["results"] == []
    assert stranger.given("POST", "/memories/recall", json={"query": "Who keeps bees?"})["memories"] == []
    assert stranger.given("POST", "/context", json={"query": "Who keeps bees?"})["memories"] == []
    assert stranger.given("GET", "/memories/context/all")["context"] == []
    assert caller.user != stranger.user


def test_ten_are_found_unless_the_caller_says_otherwise_and_never_more_than_a_hundred(caller):
    for first in (0, 60):
        memories = [{"text": f"Grace keeps bees in hive {number}"} for number in range(first, first + 60)]
        caller.given_created("/memories/batch", json={"memories": memories})
    for body, count in (({}, 10), ({"limit": 100_000}, 100)):
        answer = caller.given("POST", "/memories/search", json={"query": "bees", "min_score": 0, **body})
        assert (answer["count"], len(answer["results"])) == (count, count)
    assert caller.given("GET", "/memories/search?q=bees")["count"] == 10


@pytest.mark.parametrize("path", SEARCHES)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": " "}, "query"),
        ({"query": "x" * 10_001}, "query"),
        ({"query": "x", "min_helpfulness_score": 1.5}, "min_helpfulness_score"),
        ({"query": "x", "threshold": -0.1}, "threshold"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "weight_by_usage": "yes"}, "weight_by_usage"),
        ({"query": "x", "metadata": {"a": []}}, "metadata[...]"),
    ],
)
def test_a_bad_search_is_refused_by_name(caller, path, body, field):
    answer = caller.post(f"/api/v1{path}", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert answer.json()["details"]["field"] == field


@pytest.mark.anyio
async def test_decay_boosts_for_a_week_and_penalises_after_ninety_days_since_the_last_use(inside):
    memory = await inside.post("/memories", text=TEXTS["bees"])
    await inside.get(f"/memories/{memory['id']}")
    used_at = inside.clock.now()
    for days, boosted, penalised in ((6.9, True, False), (7.1, False, False), (89, False, False), (91, False, True)):
        inside.clock.advance(days * 86_400 - (inside.clock.now() - used_at).total_seconds())
        (plain,) = (await inside.post("/memories/search", query="Who keeps bees?"))["memories"]
        (found,) = (await inside.post("/memories/search", query="Who keeps bees?", decay_old_memories=True))["memories"]
        assert (found["boosted_by_recency"], found["penalized_by_age"]) == (boosted, penalised)
        assert (found["recency_boost"] > 1, found["recency_boost"] < 1) == (boosted, penalised)
        assert (plain["boosted_by_recency"], plain["penalized_by_age"], plain["recency_boost"]) == (False, False, 1)
