"""The routes of contract 5.9 on the real server, by value."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

TYPES = ["related_to", "caused_by", "similar_to", "follows", "contradicts"]


@pytest.fixture
def chain(caller):
    """Give three memories that are alike in nothing, so that no relationship is found between them."""
    return [caller.remember(text) for text in ("Ada drinks tea", "Bees sleep", "Deploy fails on Friday")]


def relate(caller, one, other, **fields):
    body = {"memory_id": one["id"], "related_memory_id": other["id"], **fields}
    return caller.given_created("/relationships", json=body)


@pytest.mark.parametrize("name", ["relationship_type", "type"])
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_can_be_written_under_both_names(caller, chain, kind, name):
    made = relate(caller, chain[0], chain[1], **{name: kind}, strength=0.75, explanation="because")
    assert (made["relationship_type"], made["type"], made["strength"]) == (kind, kind, 0.75)
    assert (made["memory_id"], made["related_memory_id"]) == (chain[0]["id"], chain[1]["id"])
    assert made["explanation"] == "because"


def test_a_relationship_has_defaults_and_the_same_pair_and_type_is_one(caller, chain):
    made = relate(caller, chain[0], chain[1])
    assert (made["relationship_type"], made["strength"], made["explanation"]) == ("related_to", 0.8, "")
    again = relate(caller, chain[0], chain[1], strength=0.9)
    assert (again["id"], again["strength"]) == (made["id"], 0.9)


def test_relationships_are_listed_with_the_related_memory(caller, chain):
    first = relate(caller, chain[0], chain[1], type="follows", strength=0.9)
    relate(caller, chain[0], chain[2], type="caused_by", strength=0.4)
    path = f"/relationships/memory/{chain[0]['id']}"
    listed = caller.given("GET", path)
    assert (listed["memoryId"], listed["memory_id"], listed["count"]) == (chain[0]["id"], chain[0]["id"], 2)
    assert [one["strength"] for one in listed["relationships"]] == [0.9, 0.4]
    related = listed["relationships"][0]["related_memory"]
    assert related == {name: chain[1][name] for name in ("id", "text", "created_at")}
    assert listed["relationships"][0]["created_at"] == first["created_at"]
    for query in ("type=follows", "minStrength=0.5", "limit=1"):
        assert [one["id"] for one in caller.given("GET", f"{path}?{query}")["relationships"]] == [first["id"]]


def test_the_graph_stands_nested_and_at_the_top(caller, chain):
    first = relate(caller, chain[0], chain[1], type="follows", strength=0.9)
    relate(caller, chain[1], chain[2], type="caused_by", strength=0.7)
    root = chain[0]["id"]
    near = caller.given("GET", f"/relationships/graph/{root}")
    assert (near["rootMemoryId"], near["memoryId"], near["memory_id"], near["depth"]) == (root, root, root, 1)
    assert near["stats"] == {"nodeCount": 2, "edgeCount": 1, "depth": 1}
    assert near["graph"] == {"nodes": near["nodes"], "edges": near["edges"]}
    assert near["edges"] == [
        {
            "id": first["id"], "from": root, "to": chain[1]["id"], "type": "follows", "strength": 0.9,
            "explanation": "",
        }
    ]  # fmt: skip
    far = caller.given("GET", f"/relationships/graph/{root}?depth=2")
    assert {node["id"]: node["text"] for node in far["nodes"]} == {one["id"]: one["text"] for one in chain}
    strong = caller.given("GET", f"/relationships/graph/{root}?depth=2&minStrength=0.8")
    assert [node["id"] for node in strong["nodes"]] == [root, chain[1]["id"]]
    assert caller.given("GET", f"/relationships/graph/{root}?depth=99")["depth"] == 10


def test_a_memory_has_its_links_in_both_directions_and_its_graph(caller, chain):
    relate(caller, chain[0], chain[1], type="follows", strength=0.9)
    relate(caller, chain[2], chain[0], type="contradicts", strength=0.7)
    root = chain[0]["id"]
    outgoing = {"source_id": root, "target_id": chain[1]["id"], "type": "follows", "strength": 0.9}
    incoming = {"source_id": chain[2]["id"], "target_id": root, "type": "contradicts", "strength": 0.7}
    assert caller.given("GET", f"/memories/{root}/relationships") == {
        "memory_id": root, "outgoing": [outgoing], "incoming": [incoming],
    }  # fmt: skip
    graph = caller.given("GET", f"/memories/{root}/graph?depth=1")
    assert (graph["root_id"], graph["depth"], graph["total_nodes"]) == (root, 1, 3)
    assert {node["memory"]["text"]: node["depth"] for node in graph["nodes"]} == {
        "Ada drinks tea": 0, "Bees sleep": 1, "Deploy fails on Friday": 1,
    }  # fmt: skip
    assert next(node for node in graph["nodes"] if node["memory"]["id"] == root)["relationships"] == [outgoing]


def test_the_types_are_a_list_of_counts(caller, chain):
    assert caller.given("GET", "/relationships/types") == []
    relate(caller, chain[0], chain[1], type="follows", strength=0.9)
    relate(caller, chain[1], chain[2], type="follows", strength=0.7)
    relate(caller, chain[0], chain[2], type="contradicts", strength=0.5)
    assert sorted(caller.given("GET", "/relationships/types"), key=lambda one: one["type"]) == [
        {"type": "contradicts", "count": 1, "avg_strength": 0.5},
        {"type": "follows", "count": 2, "avg_strength": 0.8},
    ]


def test_a_relationship_is_removed_once_and_only_by_its_user(caller, stranger, chain, refused):
    path = f"/relationships/{relate(caller, chain[0], chain[1])['id']}"
    refused(stranger.delete(f"/api/v1{path}"), 404, "RESOURCE_NOT_FOUND")
    removed = caller.given("DELETE", path)
    assert (removed["message"], removed["id"], removed["success"]) == (
        "Relationship deleted.", path.rpartition("/")[2], True,
    )  # fmt: skip
    refused(caller.delete(f"/api/v1{path}"), 404, "RESOURCE_NOT_FOUND")
    assert caller.given("GET", f"/relationships/memory/{chain[0]['id']}")["relationships"] == []


def test_relationships_go_with_their_memory(caller, chain):
    relate(caller, chain[0], chain[1])
    caller.given("DELETE", f"/memories/{chain[1]['id']}")
    assert caller.given("GET", f"/memories/{chain[0]['id']}/relationships")["outgoing"] == []
    assert caller.given("GET", "/relationships/types") == []


@pytest.mark.parametrize("path", ["relationships/memory/{}", "relationships/graph/{}", "memories/{}/graph",
                                  "memories/{}/relationships", "relationships/types"])  # fmt: skip
def test_reads_wait_for_the_version_that_the_caller_has_seen(caller, chain, refused, path):
    relate(caller, chain[0], chain[1])
    answer = caller.get(f"/api/v1/{path.format(chain[0]['id'])}", headers={"X-Memory-Version": "999999"})
    body = refused(answer, 400, "VALIDATION_ERROR", field="X-Memory-Version")
    assert body["details"]["limit"] >= len(chain) + 1


def test_the_detection_is_healthy(caller):
    health = caller.given("GET", "/relationships/health")
    assert (health["service"], health["healthy"], health["enabled"]) == ("relationship-detection", True, True)
    assert (health["circuitBreakerState"], health["apiKeyConfigured"]) == ("CLOSED", False)
    assert health["timestamp"].endswith("Z")


def test_what_is_alike_is_related_in_the_background(caller):
    first = caller.remember("Ada drinks green tea every afternoon", tags=["tea"], session_id="s")
    second = caller.remember("Grace drinks black tea", tags=["tea"], session_id="s")
    third = caller.remember("Ada drinks green tea in the afternoon", tags=["drinks"], session_id="s")
    fourth = caller.remember("Grace drinks strong black tea in the evening", tags=["tea", "evening"])
    expected = {
        (second["id"], "follows", first["id"]),
        (third["id"], "follows", second["id"]),
        (third["id"], "similar_to", first["id"]),
        (fourth["id"], "similar_to", second["id"]),
        (fourth["id"], "related_to", first["id"]),
    }
    deadline = time.monotonic() + 30
    links = set()
    while not expected <= links:
        assert time.monotonic() < deadline, links
        links = {
            (link["source_id"], link["type"], link["target_id"])
            for memory in (second, third, fourth)
            for link in caller.given("GET", f"/memories/{memory['id']}/relationships")["outgoing"]
        }
    assert links == expected


def test_wrong_relationships_are_refused_by_name(caller, stranger, chain, refused):
    path = "/api/v1/relationships"
    pair = {"memory_id": chain[0]["id"], "related_memory_id": chain[1]["id"]}
    bad = {
        "relationship_type": {"relationship_type": "supports"},
        "strength": {"strength": 1.5},
        "explanation": {"explanation": "x" * 201},
        "memory_id": {"memory_id": "nothing"},
    }
    for field, change in bad.items():
        refused(caller.post(path, json={**pair, **change}), 400, "VALIDATION_ERROR", field=field)
    refused(caller.post(path, json={}), 400, "MISSING_REQUIRED_FIELD", field="memory_id")
    theirs = stranger.remember("Mine")["id"]
    for unknown in (theirs, str(uuid4())):
        refused(caller.post(path, json={**pair, "related_memory_id": unknown}), 404, "RESOURCE_NOT_FOUND")
    refused(caller.post(path, json={**pair, "related_memory_id": pair["memory_id"]}), 400, "VALIDATION_ERROR")
    for path in ("/relationships/memory/", "/relationships/graph/"):
        refused(caller.get(f"/api/v1{path}{theirs}"), 404, "RESOURCE_NOT_FOUND")
    for path in ("relationships", "graph"):
        refused(caller.get(f"/api/v1/memories/{theirs}/{path}"), 404, "RESOURCE_NOT_FOUND")
