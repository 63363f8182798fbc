from __future__ import annotations

import uuid
from datetime import UTC, datetime

import answers
import pytest
from scripted_server import Reply

from pronoia.client import NewMemory, requests

AT = datetime(2026, 1, 1, 10, tzinfo=UTC)


def sent(scripted):
    (received,) = scripted.received
    return received.method, received.path.removeprefix("/api/v1"), received.query


def test_remember_sends_what_was_given_and_nothing_else(connect, scripted):
    scripted.will(
        Reply(201, answers.memory(tags=["a"], metadata={"k": 1}, session_id="s1", occurred_at=answers.CREATED))
    )
    memory = connect().remember("text", run_id="s1", speaker="Ada", occurred_at=AT, tags=("a",), metadata={"k": 1})
    assert sent(scripted) == ("POST", "/memories", {})
    assert scripted.received[0].json == {
        "text": "text",
        "session_id": "s1",
        "speaker": "Ada",
        "occurred_at": "2026-01-01T10:00:00Z",
        "tags": ["a"],
        "metadata": {"k": 1},
    }
    assert (memory.id, memory.tags, memory.metadata, memory.run_id) == ("m1", ["a"], {"k": 1}, "s1")
    assert memory.created_at == memory.occurred_at == AT


def test_adding_a_text_stores_one_memory(connect, scripted):
    scripted.will(Reply(201, {"memories": [answers.memory()]}))
    (memory,) = connect().add("text", agent_id="helper", project_id="p", source="chat")
    assert sent(scripted) == ("POST", "/memories/batch", {})
    assert scripted.received[0].json == {
        "memories": [{"text": "text", "agent_id": "helper", "project_id": "p", "source": "chat"}]
    }
    assert memory.text == "Ada drinks her coffee black."


def test_adding_messages_stores_one_memory_each_with_the_role_as_speaker(connect, scripted):
    scripted.will(Reply(201, {"memories": [answers.memory("m1"), answers.memory("m2")]}))
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    stored = connect().add(messages, run_id="s1", metadata={"k": 1})
    assert scripted.received[0].json == {
        "memories": [
            {"text": "Hello", "speaker": "user", "session_id": "s1", "metadata": {"k": 1}},
            {"text": "Hi", "speaker": "assistant", "session_id": "s1", "metadata": {"k": 1}},
        ]
    }
    assert [memory.id for memory in stored] == ["m1", "m2"]


def test_a_single_message_may_be_added_without_a_list(connect, scripted):
    scripted.will(Reply(201, {"memories": [answers.memory()]}))
    connect().add({"role": "user", "content": "Hello"})
    assert scripted.received[0].json == {"memories": [{"text": "Hello", "speaker": "user"}]}


@pytest.mark.parametrize("message", [{"role": "user"}, {"content": "Hi"}, {"role": "user", "content": None}])
def test_a_message_without_text_is_named_and_nothing_is_sent(connect, scripted, message):
    with pytest.raises(TypeError, match="Message 1"):
        connect().add([{"role": "user", "content": "Hello"}, message])
    assert scripted.received == []


def test_adding_nothing_sends_nothing(connect, scripted):
    assert connect().add([]) == []
    assert scripted.received == []


def test_a_number_that_json_cannot_carry_is_refused(connect, scripted):
    with pytest.raises(ValueError, match="JSON compliant"):
        connect().remember("text", metadata={"score": float("nan")})
    assert scripted.received == []


def test_many_memories_go_in_batches_of_a_hundred_each_with_its_own_key(connect, scripted):
    sizes = (100, 100, 50)
    scripted.will(
        *[Reply(201, {"memories": [answers.memory(f"m{number}")] * size}) for number, size in enumerate(sizes)]
    )
    memories = [f"text {number}" for number in range(249)] + [NewMemory("last", tags=["a"])]
    stored = connect().add_many(memories, idempotency_key="job-7")
    assert [len(received.json["memories"]) for received in scripted.received] == [100, 100, 50]
    assert [received.headers["Idempotency-Key"] for received in scripted.received] == ["job-7", "job-7-1", "job-7-2"]
    assert scripted.received[0].json["memories"][0] == {"text": "text 0"}
    assert scripted.received[2].json["memories"][-1] == {"text": "last", "tags": ["a"]}
    assert [memory.id for memory in stored] == ["m0"] * 100 + ["m1"] * 100 + ["m2"] * 50


def test_batches_stay_below_the_body_limit_of_the_server():
    long_text = "ü" * 10_000
    bodies = [body for body, _ in requests.batches([long_text] * 40, "key")]
    assert len(bodies) == 3
    assert max(len(body) for body in bodies) < 1 << 20


def test_learn_gives_what_the_server_extracted(connect, scripted):
    extracted = {"category": "preference", "tags": ["coffee"], "importance": "high", "summary": "s", "sentiment": "x"}
    scripted.will(Reply(201, answers.memory(extracted_metadata=extracted)))
    memory = connect().learn("text", metadata={"k": 1})
    assert sent(scripted) == ("POST", "/memories/learn", {})
    assert memory.extracted_metadata.category == "preference"
    assert memory.extracted_metadata.tags == ["coffee"]
    assert memory.extracted_metadata.importance == "high"


def test_get_reads_how_a_memory_was_used(connect, scripted):
    usage = {"access_frequency": "high", "recency_score": 1.0, "days_since_access": 0.5, "relationship_count": 3}
    scripted.will(Reply(200, answers.memory(learning_metadata=usage, contributors=[])))
    memory = connect().get("m1", context="planning")
    assert sent(scripted) == ("GET", "/memories/m1", {"context": "planning"})
    assert memory.learning_metadata.access_frequency == "high"
    assert memory.learning_metadata.relationship_count == 3


@pytest.mark.parametrize("identifier", [uuid.UUID(int=7), str(uuid.UUID(int=7))])
def test_an_id_may_be_text_or_a_uuid(connect, scripted, identifier):
    scripted.will(Reply(200, answers.memory()))
    connect().get(identifier)
    assert sent(scripted)[1] == "/memories/00000000-0000-0000-0000-000000000007"


def test_an_id_cannot_lead_to_another_path(connect, scripted):
    scripted.will(Reply(404))
    with pytest.raises(Exception, match="404"):
        connect().delete("../relationships/r1?x=1")
    assert sent(scripted) == ("DELETE", "/memories/..%2Frelationships%2Fr1%3Fx%3D1", {})


@pytest.mark.parametrize("identifier", ["", ".", ".."])
def test_an_id_that_would_mean_everything_is_refused(connect, scripted, identifier):
    with pytest.raises(ValueError, match="id is needed"):
        connect().delete(identifier)
    assert scripted.received == []


def test_update_sends_only_what_changes(connect, scripted):
    scripted.will(Reply(200, answers.memory(text="new")))
    assert connect().update("m1", text="new", tags=[]).text == "new"
    assert sent(scripted) == ("PUT", "/memories/m1", {})
    assert scripted.received[0].json == {"text": "new", "tags": []}
    assert "Idempotency-Key" in scripted.received[0].headers


def test_delete_needs_no_answer_but_success(connect, scripted):
    scripted.will(Reply(204, b""))
    assert connect().delete("m1") is None
    assert sent(scripted) == ("DELETE", "/memories/m1", {})


def test_delete_all_forgets_the_named_user(connect, scripted):
    scripted.will(Reply(200, {"message": "forgotten"}))
    connect().delete_all(user_id="ada")
    assert sent(scripted) == ("DELETE", "/memories", {"user_id": "ada"})
    assert scripted.received[0].headers["X-User-ID"] == "ada"


def test_delete_all_forgets_the_clients_user(connect, scripted):
    scripted.will(Reply(200, {}))
    connect(user_id="ada").delete_all()
    assert sent(scripted)[2] == {"user_id": "ada"}


def test_delete_all_guesses_nobody(connect, scripted):
    with pytest.raises(ValueError, match="Name the user"):
        connect().delete_all()
    assert scripted.received == []


def test_history_is_typed(connect, scripted):
    first = {"memory_id": "m1", "event": "ADD", "version": 1, "at": answers.CREATED, "old_text": None, "new_text": "a"}
    second = {**first, "event": "UPDATE", "version": 2, "old_text": "a", "new_text": "b"}
    scripted.will(Reply(200, {"history": [first, second]}))
    history = connect().history("m1")
    assert sent(scripted) == ("GET", "/memories/m1/history", {})
    assert [(entry.event, entry.version, entry.old_text, entry.new_text) for entry in history] == [
        ("ADD", 1, None, "a"),
        ("UPDATE", 2, "a", "b"),
    ]
    assert history[0].at == AT


def test_feedback_keeps_a_satisfaction_of_zero(connect, scripted):
    scripted.will(Reply(200, {"success": True, "memory_id": "m1", "new_helpfulness_score": 0.35, "feedback": {}}))
    result = connect().feedback("m1", helpful=False, user_satisfaction=0.0, context="wrong")
    assert sent(scripted) == ("POST", "/memories/m1/feedback", {})
    assert scripted.received[0].json == {"helpful": False, "user_satisfaction": 0.0, "context": "wrong"}
    assert result.new_helpfulness_score == 0.35


def test_search_sends_its_conditions_and_types_its_hits(connect, scripted):
    scripted.will(Reply(200, answers.search((answers.memory("m1"), 0.9), (answers.memory("m2"), 0.4))))
    result = connect().search(
        "coffee", filters={"user_id": "ada", "topic": "tea"}, run_id="s1", tags=["a"], created_after=AT, min_score=0.3
    )
    assert sent(scripted) == ("POST", "/memories/search", {})
    assert scripted.received[0].headers["X-User-ID"] == "ada"
    assert "Idempotency-Key" not in scripted.received[0].headers
    assert scripted.received[0].json == {
        "query": "coffee",
        "limit": 10,
        "session_id": "s1",
        "tags": ["a"],
        "metadata": {"topic": "tea"},
        "created_after": "2026-01-01T10:00:00Z",
        "min_score": 0.3,
    }
    assert [(hit.id, hit.score, hit.memory.user_id) for hit in result] == [("m1", 0.9, "ada"), ("m2", 0.4, "ada")]
    assert len(result) == result.count == 2


def test_search_can_ask_for_an_explanation(connect, scripted):
    hit = {**answers.memory(), "score": 1.0, "memory": answers.memory(), "explanation": {"signals": []}}
    scripted.will(Reply(200, {"memories": [hit], "count": 1, "query": "coffee"}))
    result = connect().search("coffee", explain=True, weight_by_usage=False, learning_mode=True)
    assert scripted.received[0].json == {
        "query": "coffee",
        "limit": 10,
        "explain": True,
        "weight_by_usage": False,
        "learning_mode": True,
    }
    assert result.results[0].explanation == {"signals": []}


def test_recall_can_be_organised_by_category(connect, scripted):
    item = {"id": "m1", "text": "t", "score": 0.9, "metadata": {"tags": ["a"]}, "created_at": answers.CREATED}
    categories = {"preference": {"count": 1, "avg_score": 0.9, "summary": "one"}}
    scripted.will(Reply(200, {"memories": [item], "categories": categories, "total": 1, "count": 1, "query": "q"}))
    result = connect().recall("q", organized=True, limit=5)
    assert sent(scripted) == ("POST", "/memories/recall", {})
    assert scripted.received[0].json == {"query": "q", "limit": 5, "organized": True}
    assert [(memory.id, memory.score, memory.metadata) for memory in result] == [("m1", 0.9, {"tags": ["a"]})]
    assert len(result) == 1
    assert result.categories["preference"].avg_score == 0.9


def test_context_takes_the_turns_before(connect, scripted):
    body = {"query": "q", "keywords_extracted": ["tea"], "memories": [answers.memory(relevance_score=12.5)], "count": 1}
    scripted.will(Reply(200, body))
    context = connect().context("q", conversation_history=["a", "b"])
    assert sent(scripted) == ("POST", "/context", {})
    assert scripted.received[0].json == {"query": "q", "limit": 10, "conversation_history": ["a", "b"]}
    assert context.memories[0].relevance_score == 12.5
    assert context.keywords_extracted == ["tea"]


def test_relate_and_unrelate(connect, scripted):
    scripted.will(Reply(201, answers.relationship()), Reply(200, {"message": "deleted", "id": "r1"}))
    client = connect()
    made = client.relate("m1", "m2", "caused_by", strength=0.8)
    client.unrelate(made.id)
    assert scripted.received[0].json == {
        "memory_id": "m1",
        "related_memory_id": "m2",
        "relationship_type": "caused_by",
        "strength": 0.8,
    }
    assert (made.relationship_type, made.strength, made.explanation) == ("caused_by", 0.8, "one led to the other")
    assert (scripted.received[1].method, scripted.received[1].path) == ("DELETE", "/api/v1/relationships/r1")


def test_relationships_of_a_memory(connect, scripted):
    scripted.will(Reply(200, {"memoryId": "m1", "relationships": [answers.relationship()], "count": 1}))
    (found,) = connect().relationships("m1", relationship_type="caused_by", min_strength=0.5)
    assert sent(scripted) == ("GET", "/relationships/memory/m1", {"type": "caused_by", "minStrength": "0.5"})
    assert found.related_memory_id == "m2"


def test_the_graph_around_a_memory(connect, scripted):
    nodes = [{"id": name, "text": name, "created_at": answers.CREATED} for name in ("m1", "m2")]
    edges = [{"id": "r1", "from": "m1", "to": "m2", "type": "follows", "strength": 0.7, "explanation": None}]
    body = {"rootMemoryId": "m1", "nodes": nodes, "edges": edges, "depth": 2, "graph": {}, "stats": {}}
    scripted.will(Reply(200, body))
    graph = connect().graph("m1", depth=2)
    assert sent(scripted) == ("GET", "/relationships/graph/m1", {"depth": "2"})
    assert (graph.root_memory_id, graph.depth) == ("m1", 2)
    assert [node.id for node in graph.nodes] == ["m1", "m2"]
    assert (graph.edges[0].source, graph.edges[0].target, graph.edges[0].type) == ("m1", "m2", "follows")


def test_a_call_names_its_user_over_the_clients(connect, scripted):
    scripted.will(*[Reply(200, answers.memory())] * 2)
    client = connect(user_id="ada")
    client.get("m1")
    client.get("m1", user_id="bob")
    assert [received.headers["X-User-ID"] for received in scripted.received] == ["ada", "bob"]


@pytest.mark.parametrize("user", ["Zoë", "a\r\nX-API-Key: other", " ada "])
def test_a_user_that_no_header_can_carry_is_named_in_the_query(connect, scripted, user):
    scripted.will(Reply(201, answers.memory()))
    connect().remember("text", user_id=user)
    assert sent(scripted) == ("POST", "/memories", {"user_id": user})
    assert "X-User-ID" not in scripted.received[0].headers
    assert scripted.received[0].headers["X-API-Key"] == "key-1"


def test_a_user_bound_key_names_nobody(connect, scripted):
    scripted.will(Reply(200, answers.memory()))
    connect().get("m1")
    assert "X-User-ID" not in scripted.received[0].headers
