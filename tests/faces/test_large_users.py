"""What a user above the resident limit is answered: of the memories used last, and of those around one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = ("Ada likes green tea", "ada likes green tea!", "Rex barks at night", "The roof is new", "Bees sleep in winter")


@pytest.fixture
def http(database_url, serve) -> Iterator[httpx2.Client]:
    with serve(database_url, PRONOIA_RESIDENT_LIMIT="3") as server:
        headers = {"X-Service-Token": server.service_key, "X-User-ID": f"large-{uuid4().hex}"}
        with httpx2.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=30) as client:
            yield client


def answered(http: httpx2.Client, method: str, path: str, **request: Any) -> Any:
    answer = http.request(method, path, **request)
    assert answer.status_code in {200, 201}, f"{path}: {answer.text}"
    return answer.json()


def test_a_user_above_the_resident_limit_is_answered_everywhere(http):
    tea, again, rex, roof, bees = (answered(http, "POST", "/memories", json={"text": text})["id"] for text in TEXTS)
    links = [(tea, rex, "related_to", 0.9), (rex, roof, "related_to", 0.6), (bees, tea, "caused_by", 0.7)]
    for one, other, kind, strength in links:
        body = {"memory_id": one, "related_memory_id": other, "relationship_type": kind, "strength": strength}
        answered(http, "POST", "/relationships", json=body)

    listed = answered(http, "GET", f"/relationships/memory/{tea}")
    assert [(one["related_memory_id"], one["strength"]) for one in listed["relationships"]] == [(rex, 0.9)]
    both = answered(http, "GET", f"/memories/{tea}/relationships")
    assert ([one["target_id"] for one in both["outgoing"]], len(both["incoming"])) == ([rex], 1)
    near = answered(http, "GET", f"/relationships/graph/{tea}", params={"depth": 1})
    assert {one["id"] for one in near["nodes"]} == {tea, rex, bees}
    far = answered(http, "GET", f"/relationships/graph/{tea}", params={"depth": 2})
    assert {one["id"] for one in far["nodes"]} == {tea, rex, bees, roof}
    assert len(far["edges"]) == 3
    whole = answered(http, "GET", f"/memories/{tea}/graph", params={"depth": 2})
    assert {(one["memory"]["id"], one["depth"]) for one in whole["nodes"]} == {(tea, 0), (rex, 1), (bees, 1), (roof, 2)}
    types = {one["type"]: one["count"] for one in answered(http, "GET", "/relationships/types")}
    assert types == {"caused_by": 1, "related_to": 2}
    assert http.get(f"/relationships/memory/{uuid4()}").status_code == 404

    assert answered(http, "GET", f"/memories/{roof}")["learning_metadata"]["relationship_count"] == 1
    assert answered(http, "GET", f"/memories/{tea}")["learning_metadata"]["relationship_count"] == 2
    answered(http, "GET", f"/memories/{roof}")
    predicted = answered(http, "POST", "/memories/predict", json={"context": "bees in winter", "min_confidence": 0})
    assert predicted["predictions"][0]["id"] == bees
    answered(http, "GET", "/memories/predict")
    suggested = answered(http, "POST", "/memories/suggest", json={"context": "Do the bees sleep in winter?"})
    assert [one["id"] for one in suggested["suggestions"]] == [bees]

    mendable = answered(http, "GET", "/learning/maintenance-suggestions")
    assert [(one["memory_ids"], one["suggestion"]) for one in mendable["duplicates"]] == [([tea, again], "merge")]
    patterns = answered(http, "GET", "/memories/meta/patterns")
    assert patterns["summary"]["total_memories"] == 5
    assert answered(http, "GET", "/learning/metrics")["total_memories"] == 5
    for path in ("/learning/analyze", "/learning/analyze-enhanced", "/learning/apply-suggestions"):
        answered(http, "POST", path, json={})


def test_archived_memories_of_a_user_above_the_resident_limit_are_listed_in_neither_order(http):
    ids = [answered(http, "POST", "/memories", json={"text": text})["id"] for text in TEXTS]
    step = {"actions": [{"action": "archive", "memory_id": ids[0]}]}
    answered(http, "POST", "/learning/maintenance/apply", json=step)
    for sort in ("asc", "desc"):
        listed = answered(http, "GET", "/memories", params={"sort": sort})
        assert sorted(one["id"] for one in listed["memories"]) == sorted(ids[1:])
