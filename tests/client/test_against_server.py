"""The clients against Pronoia itself, over HTTP. `server` has a `url`, a `key` of one user and a `service_key`."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from pronoia.client import (
    AsyncPronoia,
    ConflictError,
    NewMemory,
    NotFoundError,
)

COFFEE = "Ada drinks her coffee black, without sugar."
TRAIN = "The train to Lisbon leaves at seven in the morning."
PIANO = "Bob practises the piano every Sunday."


def test_the_server_is_healthy(client):
    assert client.health().status in {"ok", "healthy"}


def test_a_key_of_one_user_needs_no_user(server, open_client):
    own = open_client(api_key=server.key, base_url=server.url)
    text = f"A note with the number {uuid.uuid4()}"
    stored = own.remember(text)
    assert own.get(stored.id).text == text
    assert stored.user_id
    own.delete(stored.id)


def test_remember_stores_every_field(client, user):
    occurred = datetime(2025, 5, 1, 12, 30, tzinfo=UTC)
    before = datetime.now(UTC) - timedelta(minutes=1)
    stored = client.remember(
        COFFEE,
        agent_id="helper",
        run_id="session-1",
        metadata={"topic": "drinks", "cups": 2, "nested": {"hot": True}},
        tags=["drinks", "ada"],
        source="chat",
        project_id="kitchen",
        speaker="Ada",
        occurred_at=occurred,
    )
    read = client.get(stored.id)
    for memory in (stored, read):
        assert memory.text == COFFEE
        assert memory.user_id == user
        assert (memory.agent_id, memory.run_id, memory.speaker) == ("helper", "session-1", "Ada")
        assert (memory.source, memory.project_id) == ("chat", "kitchen")
        assert memory.tags == ["drinks", "ada"]
        assert memory.metadata == {"topic": "drinks", "cups": 2, "nested": {"hot": True}}
        assert memory.occurred_at == occurred
        assert before < memory.created_at < before + timedelta(minutes=5)
        assert memory.duplicate_of is None
    assert stored.usage_count == 0
    assert stored.helpfulness_score == 0.5
    assert read.id == stored.id
    assert read.learning_metadata.relationship_count == 0


def test_what_is_left_out_has_the_servers_defaults(client):
    stored = client.remember(COFFEE)
    assert (stored.source, stored.project_id, stored.tags, stored.metadata) == ("api", "default", [], {})
    assert (stored.agent_id, stored.run_id, stored.speaker, stored.occurred_at) == (None, None, None, None)


def test_a_conversation_becomes_one_memory_a_message(client):
    stored = client.add(
        [{"role": "user", "content": COFFEE}, {"role": "assistant", "content": TRAIN}], run_id="s1", tags=["talk"]
    )
    assert [(memory.text, memory.speaker, memory.run_id) for memory in stored] == [
        (COFFEE, "user", "s1"),
        (TRAIN, "assistant", "s1"),
    ]
    assert {memory.id for memory in client.get_all()} == {memory.id for memory in stored}
    assert all(memory.tags == ["talk"] for memory in client.get_all())


def test_many_memories_are_stored_in_order_over_several_requests(client):
    texts = [f"Item {number} of the list." for number in range(120)]
    stored = client.add_many([*texts[:119], NewMemory(texts[119], tags=["last"])])
    assert [memory.text for memory in stored] == texts
    assert len({memory.id for memory in stored}) == 120
    assert stored[-1].tags == ["last"]
    page = client.get_page(limit=7)
    assert (page.total, len(page.memories)) == (120, 7)
    assert page.next_cursor is not None


def test_a_repeated_text_names_its_original(client):
    first = client.remember(COFFEE)
    second = client.remember(COFFEE)
    assert second.id != first.id
    assert second.duplicate_of == first.id


def test_learn_adds_to_the_metadata_and_keeps_the_callers(client):
    stored = client.learn("We decided to use PostgreSQL for the billing database.", metadata={"category": "mine"})
    assert stored.text == "We decided to use PostgreSQL for the billing database."
    assert stored.metadata["category"] == "mine"
    assert stored.metadata["tags"]
    assert stored.metadata["summary"]
    assert stored.extracted_metadata.importance in {"low", "medium", "high", "critical"}
    assert client.get(stored.id).metadata["category"] == "mine"


def test_the_same_idempotency_key_stores_once(client):
    key = str(uuid.uuid4())
    first = client.remember(COFFEE, idempotency_key=key)
    second = client.remember(COFFEE, idempotency_key=key)
    assert second.id == first.id
    assert len(client.get_all()) == 1


def test_an_idempotency_key_cannot_be_used_for_another_request(client):
    key = str(uuid.uuid4())
    client.remember(COFFEE, idempotency_key=key)
    with pytest.raises(ConflictError) as caught:
        client.remember(TRAIN, idempotency_key=key)
    assert (caught.value.status, caught.value.code) == (409, "IDEMPOTENCY_CONFLICT")


def test_search_finds_what_answers_the_query_first(client):
    stored = {memory.text: memory for memory in client.add_many([COFFEE, TRAIN, PIANO])}
    result = client.search("How does Ada like her coffee?")
    best = result.results[0]
    assert (best.id, best.text) == (stored[COFFEE].id, COFFEE)
    assert best.memory.id == best.id
    assert 0.0 <= best.score <= 1.0
    assert [hit.score for hit in result] == sorted((hit.score for hit in result), reverse=True)
    assert result.query == "How does Ada like her coffee?"
    assert result.count == len(result)
    assert best.explanation is None


def test_search_gives_at_most_the_limit(client):
    client.add_many([COFFEE, TRAIN, PIANO])
    assert len(client.search("coffee train piano", limit=2)) == 2


def test_search_says_nothing_when_nothing_is_good_enough(client):
    client.add_many([COFFEE, TRAIN])
    assert len(client.search("quarterly tax declaration deadlines", min_score=0.99)) == 0


def test_search_explains_its_scores(client):
    client.add_many([COFFEE, TRAIN])
    assert client.search("coffee", explain=True).results[0].explanation


def test_search_obeys_every_condition(client):
    wanted = client.remember(
        COFFEE,
        agent_id="a1",
        run_id="s1",
        tags=["x", "y"],
        source="chat",
        project_id="p1",
        metadata={"topic": "drinks", "cups": 2},
    )
    client.remember(
        "Ada also drinks coffee at noon.",
        agent_id="a2",
        run_id="s2",
        tags=["x"],
        source="mail",
        project_id="p2",
        metadata={"topic": "noon", "cups": 3},
    )
    earlier, later = wanted.created_at - timedelta(days=1), wanted.created_at + timedelta(days=1)

    def found(**conditions):
        return {hit.id for hit in client.search("coffee", **conditions)}

    assert len(found()) == 2
    assert found(agent_id="a1") == {wanted.id}
    assert found(run_id="s1") == {wanted.id}
    assert found(tags=["x", "y"]) == {wanted.id}
    assert found(source="chat") == {wanted.id}
    assert found(project_id="p1") == {wanted.id}
    assert found(metadata={"topic": "drinks"}) == {wanted.id}
    assert found(filters={"run_id": "s1", "cups": 2}) == {wanted.id}
    assert found(created_before=earlier) == set()
    assert len(found(created_after=earlier, created_before=later)) == 2


def test_search_takes_the_user_from_filters(server, open_client, user):
    service = open_client(api_key=server.service_key, base_url=server.url)
    stored = service.remember(COFFEE, user_id=user)
    assert [hit.id for hit in service.search("coffee", filters={"user_id": user})] == [stored.id]
    assert [memory.id for memory in service.get_all(filters={"user_id": user})] == [stored.id]


def test_recall_gives_the_short_form(client):
    client.add_many([COFFEE, TRAIN, PIANO])
    result = client.recall("When does the train leave?")
    assert result.memories[0].text == TRAIN
    assert 0.0 <= result.memories[0].score <= 1.0
    assert result.query == "When does the train leave?"


def test_recall_can_be_organised(client):
    client.learn("We decided to use PostgreSQL for the billing database.")
    client.learn("I prefer tea over coffee in the afternoon.")
    result = client.recall("database and tea", organized=True)
    assert sum(category.count for category in result.categories.values()) == len(result) == 2
    assert all(0.0 <= category.avg_score <= 1.0 for category in result.categories.values())


def test_context_chooses_memories_for_a_question(client):
    client.add_many([COFFEE, TRAIN, PIANO])
    context = client.context("How does Ada drink coffee?", conversation_history=["We talked about drinks."])
    assert context.memories[0].text == COFFEE
    assert context.memories[0].relevance_score > 0
    assert "coffee" in context.keywords_extracted
    assert context.query == "How does Ada drink coffee?"


def test_what_may_be_needed_next_is_predicted_with_its_reasons(client):
    ids = [client.remember(text).id for text in (COFFEE, TRAIN, PIANO)]
    for _ in range(5):
        client.get(ids[0])
        client.get(ids[1])
    predicted = client.predict(recent=[ids[1]], limit=3)
    assert {one.id: one.text for one in predicted} == {ids[0]: COFFEE, ids[2]: PIANO}
    confidences = [one.confidence for one in predicted]
    assert confidences == sorted(confidences, reverse=True)
    assert 0 < confidences[0] <= 1
    assert predicted.predictions[0].reasons
    assert len(client.predict(min_confidence=1.0)) == 0


def test_what_fits_is_suggested_and_small_talk_meets_silence(client):
    coffee, *_ = client.add_many([COFFEE, TRAIN, PIANO])
    suggested = client.suggest("Ada would like a coffee now")
    assert [one.id for one in suggested] == [coffee.id]
    assert suggested.suggestions[0].confidence >= 0.6
    again = client.suggest("Good morning, how are you?", used_ids=[coffee.id])
    assert (len(again), again.withheld) == (0, False)


def test_all_memories_come_newest_first_over_all_pages(client):
    stored = [client.remember(text).id for text in (COFFEE, TRAIN, PIANO)]
    assert [memory.id for memory in client.get_all(page_size=2)] == stored[::-1]
    assert [memory.id for memory in client.iterate(page_size=1)] == stored[::-1]
    assert [memory.id for memory in client.get_all(limit=2)] == stored[:0:-1]


def test_listing_obeys_every_condition(client):
    wanted = client.remember(
        COFFEE, agent_id="a1", run_id="s1", tags=["x", "y"], source="chat", project_id="p1", metadata={"k": "v"}
    )
    client.remember(TRAIN, agent_id="a2", run_id="s2", tags=["x"], source="mail", project_id="p2", metadata={"k": "w"})

    def found(**conditions):
        return {memory.id for memory in client.get_all(**conditions)}

    assert len(found()) == 2
    assert found(agent_id="a1") == {wanted.id}
    assert found(run_id="s1") == {wanted.id}
    assert found(tags=["x", "y"]) == {wanted.id}
    assert found(source="chat") == {wanted.id}
    assert found(project_id="p1") == {wanted.id}
    assert found(metadata={"k": "v"}) == {wanted.id}


def test_update_replaces_what_is_given_and_keeps_the_rest(client):
    stored = client.remember(COFFEE, tags=["a"], metadata={"old": 1}, project_id="p1")
    changed = client.update(stored.id, text=TRAIN, metadata={"new": 2})
    assert (changed.id, changed.text, changed.tags) == (stored.id, TRAIN, ["a"])
    assert changed.metadata == {"new": 2}
    assert changed.project_id == "p1"
    assert changed.updated_at > stored.updated_at
    assert client.search("train to Lisbon").results[0].id == stored.id
    assert client.update(stored.id, tags=[], project_id="p2").tags == []
    assert client.get(stored.id).project_id == "p2"


def test_history_tells_every_version(client):
    stored = client.remember(COFFEE)
    client.update(stored.id, text=TRAIN)
    history = client.history(stored.id)
    assert [(entry.event, entry.old_text, entry.new_text) for entry in history] == [
        ("ADD", None, COFFEE),
        ("UPDATE", COFFEE, TRAIN),
    ]
    assert {entry.memory_id for entry in history} == {stored.id}
    assert [entry.version for entry in history] == sorted({entry.version for entry in history})


def test_the_history_of_a_deleted_memory_holds_nothing_of_its_text(client):
    stored = client.remember(COFFEE)
    client.update(stored.id, text=TRAIN)
    client.delete(stored.id)
    assert [(entry.event, entry.old_text, entry.new_text) for entry in client.history(stored.id)] == [
        ("DELETE", None, None)
    ]


def test_a_deleted_memory_is_gone(client):
    stored = client.remember(COFFEE)
    assert client.delete(stored.id) is None
    with pytest.raises(NotFoundError) as caught:
        client.get(stored.id)
    assert (caught.value.status, caught.value.code) == (404, "RESOURCE_NOT_FOUND")
    assert caught.value.request_id
    assert len(client.search("coffee")) == 0


def test_another_users_memory_is_not_found(client, user):
    stored = client.remember(COFFEE)
    other = f"{user}-other"
    for call in (client.get, client.delete, client.history):
        with pytest.raises(NotFoundError):
            call(stored.id, user_id=other)
    assert client.get_all(user_id=other) == []
    assert len(client.search("coffee", user_id=other)) == 0
    assert client.get(stored.id).text == COFFEE


def test_forgetting_a_user_leaves_nothing_and_allows_a_new_start(client):
    client.add_many([COFFEE, TRAIN, PIANO])
    client.delete_all()
    assert client.get_all() == []
    assert len(client.search("coffee")) == 0
    again = client.remember(COFFEE)
    assert again.duplicate_of is None
    assert [memory.id for memory in client.get_all()] == [again.id]
    assert [hit.id for hit in client.search("coffee")] == [again.id]


def test_feedback_moves_the_helpfulness(client):
    stored = client.remember(COFFEE)
    up = client.feedback(stored.id, helpful=True)
    assert up.memory_id == stored.id
    assert up.new_helpfulness_score == pytest.approx(0.6)
    down = client.feedback(stored.id, helpful=False)
    assert down.new_helpfulness_score == pytest.approx(0.55)
    rated = client.feedback(stored.id, helpful=False, user_satisfaction=0.0, context="wrong answer")
    assert rated.new_helpfulness_score == pytest.approx(0.385)
    assert client.get(stored.id).helpfulness_score == pytest.approx(0.385)


def test_relationships_are_made_read_and_removed(client):
    one, two = client.add_many([COFFEE, TRAIN])
    made = client.relate(one.id, two.id, "caused_by", strength=0.9, explanation="coffee before the train")
    assert (made.memory_id, made.related_memory_id) == (one.id, two.id)
    assert (made.relationship_type, made.explanation) == ("caused_by", "coffee before the train")
    assert made.strength == pytest.approx(0.9)

    found = {entry.id: entry for entry in client.relationships(one.id, relationship_type="caused_by")}
    assert found[made.id].related_memory_id == two.id
    assert made.id not in {entry.id for entry in client.relationships(one.id, min_strength=0.95)}

    graph = client.graph(one.id, depth=1)
    assert graph.root_memory_id == one.id
    assert {one.id, two.id} <= {node.id for node in graph.nodes}
    assert (one.id, two.id, "caused_by") in {(edge.source, edge.target, edge.type) for edge in graph.edges}

    client.unrelate(made.id)
    assert made.id not in {entry.id for entry in client.relationships(one.id)}
    with pytest.raises(NotFoundError):
        client.unrelate(made.id)


def test_any_text_comes_back_as_it_was_given(client):
    text = "Zoë said: “naïve” 😀\n\ttabs, 'quotes', \"more\" \\ and 日本語"
    stored = client.remember(text, tags=["étiquette"], metadata={"ключ": "значение"})
    read = client.get(stored.id)
    assert (read.text, read.tags, read.metadata) == (text, ["étiquette"], {"ключ": "значение"})


def test_a_user_may_have_any_name(client, user):
    name = f"Zoë-日本-{user}"
    stored = client.remember(COFFEE, user_id=name)
    assert stored.user_id == name
    assert client.get(stored.id, user_id=name).text == COFFEE
    assert [hit.id for hit in client.search("coffee", user_id=name)] == [stored.id]
    assert [memory.id for memory in client.get_all(user_id=name)] == [stored.id]
    client.delete_all(user_id=name)
    assert client.get_all(user_id=name) == []


def test_writes_at_the_same_time_are_all_kept(server, user):
    async def write() -> tuple[set[str], set[str]]:
        async with AsyncPronoia(server.service_key, server.url, user_id=user) as client:
            stored = await asyncio.gather(*(client.remember(f"Note number {number}") for number in range(25)))
            return {memory.id for memory in stored}, {memory.id for memory in await client.get_all()}

    stored, found = asyncio.run(write())
    assert len(stored) == 25
    assert found == stored
