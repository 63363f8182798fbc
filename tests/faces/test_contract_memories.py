"""The routes of contract 5.2 and 5.6 on the real server, by value: published clients read a missing field as empty."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest

FIELDS = {
    "id", "user_id", "text", "source", "project_id", "tags", "metadata", "created_at", "updated_at", "usage_count",
    "last_accessed", "helpfulness_score", "access_pattern", "duplicate_of", "session_id", "agent_id", "speaker",
    "occurred_at", "trust", "provenance",
}  # fmt: skip


def test_a_memory_has_the_documented_defaults(caller):
    memory = caller.remember("  Ada drinks green tea  ")
    assert set(memory) == FIELDS
    assert (memory["text"], memory["user_id"]) == ("  Ada drinks green tea  ", caller.user)
    assert (memory["source"], memory["project_id"], memory["tags"], memory["metadata"]) == ("api", "default", [], {})
    assert (memory["usage_count"], memory["last_accessed"], memory["helpfulness_score"]) == (0, None, 0.5)
    assert (memory["access_pattern"], memory["duplicate_of"]) == ({}, None)
    assert memory["created_at"] == memory["updated_at"]


def test_a_memory_keeps_what_it_was_given_and_nothing_that_is_the_servers(caller):
    given = {
        "source": "chat", "project_id": "atlas", "tags": ["tea", "Ada"], "metadata": {"z": 1, "a": [None, {"b": True}]},
        "session_id": "s1", "agent_id": "agent", "speaker": "Ada", "occurred_at": "2024-05-01T10:00:00Z",
    }  # fmt: skip
    taken = {"id": str(uuid4()), "usage_count": 99, "helpfulness_score": 1, "created_at": "2001-01-01T00:00:00Z"}
    memory = caller.remember("Ada drinks tea", **given, **taken, raw=True, timestamp="x", unheard_of={"of": 1})
    assert {name: memory[name] for name in given} == given
    assert (memory["usage_count"], memory["helpfulness_score"]) == (0, 0.5)
    assert memory["id"] != taken["id"]
    assert memory["created_at"] > "2020"


def test_place_in_time_and_talk_is_read_out_of_the_metadata(caller):
    metadata = {"session_id": "s2", "agent_id": "a", "speaker": "Grace", "occurred_at": "2024-05-01T12:00:00+02:00"}
    memory = caller.remember("Hello", metadata=metadata)
    assert (memory["session_id"], memory["agent_id"], memory["speaker"]) == ("s2", "a", "Grace")
    assert memory["occurred_at"] == "2024-05-01T10:00:00Z"
    assert memory["metadata"] == metadata
    assert caller.remember("Hello there", run_id="r")["session_id"] == "r"


def test_the_same_text_again_is_stored_and_names_its_first(caller, stranger):
    first = caller.remember("Twice said")
    again = caller.remember("Twice said")
    assert (again["duplicate_of"], first["duplicate_of"]) == (first["id"], None)
    assert stranger.remember("Twice said")["duplicate_of"] is None
    assert caller.given("GET", "/memories")["total"] == 2


def test_an_idempotency_key_stores_once_and_answers_the_same(caller, refused):
    headers = {"Idempotency-Key": uuid4().hex}
    first = caller.post("/api/v1/memories", json={"text": "Once"}, headers=headers)
    second = caller.post("/api/v1/memories", json={"text": "Once"}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["X-Memory-Version"] == first.headers["X-Memory-Version"]
    assert caller.given("GET", "/memories")["total"] == 1
    refused(caller.post("/api/v1/memories", json={"text": "Other"}, headers=headers), 409, "IDEMPOTENCY_CONFLICT")


def test_every_write_gives_a_version_and_a_read_waits_for_it(caller, refused):
    versions = []
    for number in range(3):
        answer = caller.post("/api/v1/memories", json={"text": f"Note {number}"})
        versions.append(int(answer.headers["X-Memory-Version"]))
    assert versions == sorted(set(versions))
    read = caller.get("/api/v1/memories", headers={"X-Memory-Version": str(versions[-1])})
    assert int(read.headers["X-Memory-Version"]) >= versions[-1]
    refused(
        caller.get("/api/v1/memories", headers={"X-Memory-Version": "x"}), 400, "VALIDATION_ERROR",
        field="X-Memory-Version",
    )  # fmt: skip


def test_a_batch_is_stored_whole_in_its_order_or_not_at_all(caller, refused):
    answer = caller.post("/api/v1/memories/batch", json={"memories": [{"text": "One", "tags": ["x"]}, {"text": "Two"}]})
    assert (answer.status_code, answer.json()["count"]) == (201, 2)
    assert [(memory["text"], memory["tags"]) for memory in answer.json()["memories"]] == [("One", ["x"]), ("Two", [])]
    bad = caller.post("/api/v1/memories/batch", json={"memories": [{"text": "Three"}, {"text": " "}]})
    refused(bad, 400, "MISSING_REQUIRED_FIELD", field="text")
    assert caller.given("GET", "/memories")["total"] == 2
    many = {"memories": [{"text": "x"}] * 101}
    refused(caller.post("/api/v1/memories/batch", json=many), 400, "VALIDATION_ERROR", field="memories", limit=100)


@pytest.fixture
def five(caller):
    texts = [f"Note {number}" for number in range(5)]
    return [
        caller.remember(
            text, tags=["even", "note"] if number % 2 == 0 else ["note"], source="s" if number < 2 else "api",
            project_id="p" if number < 3 else "default", metadata={"number": number, "half": number / 2},
            session_id=f"session-{number // 2}", agent_id="a" if number == 4 else None,
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip


def numbers(page):
    return [memory["metadata"]["number"] for memory in page["memories"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("sort=asc", [0, 1, 2, 3, 4]),
        ("limit=2&offset=1", [3, 2]),
        ("tags=even,note", [4, 2, 0]),
        ("source=s", [1, 0]),
        ("project_id=p", [2, 1, 0]),
        ("project_id=p&source=s&tags=even", [0]),
        ("session_id=session-1", [3, 2]),
        ("run_id=session-1", [3, 2]),
        ("agent_id=a", [4]),
        ('metadata={"number":3}', [3]),
        ('metadata={"half":1.5}', [3]),
        ("created_after=2999-01-01T00:00:00Z", []),
        ("created_before=2999-01-01T00:00:00Z", [4, 3, 2, 1, 0]),
        ("sortBy=created_at&unknown=1", [4, 3, 2, 1, 0]),
    ],
)
def test_the_list_is_filtered_and_ordered(caller, five, query, expected):
    assert numbers(caller.given("GET", f"/memories?{query}")) == expected
    assert len(five) == 5


def test_times_bound_the_list_by_creation(caller, five):
    middle = five[2]["created_at"]
    assert numbers(caller.given("GET", "/memories", params={"created_after": middle})) == [4, 3]
    assert numbers(caller.given("GET", "/memories", params={"created_before": middle})) == [1, 0]


def test_the_list_has_count_total_limit_and_offset(caller, five):
    page = caller.given("GET", "/memories?limit=2&offset=1")
    assert (page["count"], page["total"], page["limit"], page["offset"]) == (2, len(five), 2, 1)
    whole = caller.given("GET", "/memories")
    assert (whole["count"], whole["limit"], whole["offset"], whole["next_cursor"]) == (5, 100, 0, None)
    assert caller.given("GET", "/memories?limit=100000")["limit"] == 1000


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_a_cursor_walks_the_whole_list_even_if_its_memory_is_deleted(caller, five, sort):
    expected = list(range(5)) if sort == "asc" else list(range(5))[::-1]
    seen, cursor = [], ""
    while cursor is not None:
        page = caller.given("GET", "/memories", params={"limit": 2, "sort": sort, "cursor": cursor})
        seen += numbers(page)
        cursor = page["next_cursor"]
        if cursor is not None:
            caller.given("DELETE", f"/memories/{cursor}")
    assert seen == expected
    assert caller.given("GET", "/memories")["total"] == len(five) - 2


def test_getting_a_memory_counts_a_use_with_its_context(caller):
    memory = caller.remember("Used")
    first = caller.given("GET", f"/memories/{memory['id']}?context=planning")
    assert first["text"] == "Used"
    assert first["contributors"] == []
    assert first["learning_metadata"]["relationship_count"] == 0
    second = caller.given("GET", f"/memories/{memory['id']}")
    assert (first["usage_count"], second["usage_count"]) == (1, 2)
    assert datetime.fromisoformat(second["last_accessed"]) >= datetime.fromisoformat(memory["created_at"])
    learned = second["learning_metadata"]
    assert (learned["access_frequency"], learned["recency_score"]) == ("low", 1.0)
    assert 0 <= learned["days_since_access"] < 0.01


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_replaces_what_it_names(caller, method):
    memory = caller.remember("Before", tags=["old"], metadata={"kept": False}, source="chat")
    path = f"/memories/{memory['id']}"
    changed = caller.given(method, path, json={"text": "After", "metadata": {"new": 1}, "project_id": "p"})
    assert (changed["text"], changed["metadata"], changed["tags"]) == ("After", {"new": 1}, ["old"])
    assert (changed["project_id"], changed["source"], changed["id"]) == ("p", "chat", memory["id"])
    assert (changed["created_at"], changed["updated_at"] > memory["updated_at"]) == (memory["created_at"], True)
    assert caller.given("GET", path)["text"] == "After"
    assert (
        caller.given("POST", "/memories/search", json={"query": "After", "min_score": 0})["results"][0]["text"]
        == "After"
    )
    assert caller.given(method, path, json={"tags": []})["tags"] == []


def test_the_history_tells_every_text_in_order(caller):
    memory = caller.remember("First")
    caller.given("PUT", f"/memories/{memory['id']}", json={"text": "Second"})
    told = caller.given("GET", f"/memories/{memory['id']}/history")
    assert (told["memory_id"], told["count"]) == (memory["id"], 2)
    assert [(one["event"], one["old_text"], one["new_text"]) for one in told["history"]] == [
        ("ADD", None, "First"),
        ("UPDATE", "First", "Second"),
    ]
    caller.given("DELETE", f"/memories/{memory['id']}")
    told = caller.given("GET", f"/memories/{memory['id']}/history")
    assert [(one["event"], one["old_text"], one["new_text"]) for one in told["history"]] == [("DELETE", None, None)]


def test_a_deleted_memory_is_gone_everywhere(caller, refused):
    memory = caller.remember("Ephemeral zanzibar")
    gone = caller.given("DELETE", f"/memories/{memory['id']}")
    assert gone == {"message": "Memory deleted.", "id": memory["id"], "success": True}
    for method in ("GET", "PUT", "DELETE"):
        body = {"json": {"text": "x"}} if method == "PUT" else {}
        refused(caller.request(method, f"/api/v1/memories/{memory['id']}", **body), 404, "RESOURCE_NOT_FOUND")
    assert caller.given("POST", "/memories/search", json={"query": "zanzibar", "min_score": 0})["results"] == []
    assert caller.given("GET", "/memories")["total"] == 0


def test_forgetting_a_user_deletes_all_and_only_theirs(caller, stranger):
    for number in range(3):
        caller.remember(f"Note {number}")
    stranger.remember("Mine")
    forgotten = caller.given("DELETE", "/memories", params={"user_id": caller.user})
    assert (forgotten["user_id"], forgotten["deleted"], forgotten["success"]) == (caller.user, 3, True)
    assert caller.given("GET", "/memories")["total"] == 0
    assert stranger.given("GET", "/memories")["total"] == 1


def test_a_key_of_one_user_forgets_no_other(server, anonymous, refused):
    headers = {"X-API-Key": server.key}
    refused(anonymous.delete("/api/v1/memories?user_id=someone", headers=headers), 403, "FORBIDDEN", field="user_id")
    refused(anonymous.delete("/api/v1/memories", headers=headers), 400, "MISSING_REQUIRED_FIELD", field="user_id")


@pytest.mark.parametrize(
    ("given", "score"),
    [
        ({"helpful": True}, 0.6),
        ({"helpful": False}, 0.45),
        ({"helpful": True, "user_satisfaction": 0.9}, 0.62),
        ({"helpful": False, "user_satisfaction": 0}, 0.35),
        # Never against what was said.
        ({"helpful": False, "user_satisfaction": 0.9}, 0.5),
        ({"helpful": True, "user_satisfaction": 0}, 0.5),
    ],
)
def test_feedback_moves_the_helpfulness(caller, given, score):
    memory = caller.remember("Judged")
    judged = caller.given("POST", f"/memories/{memory['id']}/feedback", json={**given, "context": "test"})
    assert (judged["success"], judged["memory_id"]) == (True, memory["id"])
    assert judged["new_helpfulness_score"] == pytest.approx(score)
    assert judged["feedback"] == {
        "helpful": given["helpful"], "context": "test", "user_satisfaction": given.get("user_satisfaction"),
    }  # fmt: skip
    assert caller.given("GET", f"/memories/{memory['id']}")["helpfulness_score"] == pytest.approx(score)


def test_wrong_feedback_is_a_bad_request_by_name(caller, refused):
    path = f"/api/v1/memories/{caller.remember('Judged')['id']}/feedback"
    answer = caller.post(path, json={"helpful": True, "user_satisfaction": 1.5})
    body = refused(answer, 400, "VALIDATION_ERROR", field="user_satisfaction")
    assert body["error"] == "Bad Request"
    refused(caller.post(path, json={}), 400, "MISSING_REQUIRED_FIELD", field="helpful")
    refused(caller.post(path, json={"helpful": "yes"}), 400, "VALIDATION_ERROR", field="helpful")


def test_context_routes_give_texts(caller):
    for text in ("Ada drinks green tea", "Grace keeps bees", "The deploy is on Friday"):
        caller.remember(text)
    found = caller.given("GET", "/memories/context?q=who keeps bees&limit=1")
    assert found == {"context": ["Grace keeps bees"], "count": 1}
    listed = caller.given("GET", "/memories/context/all?limit=2&offset=1")
    assert listed == {"context": ["Grace keeps bees", "Ada drinks green tea"], "count": 2, "limit": 2, "offset": 1}
