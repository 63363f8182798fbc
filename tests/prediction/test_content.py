from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest

from pronoia.benchmark.content_evaluation import (
    CONTENT_METRICS,
    LEARNED,
    ORDER,
    PRONOIA,
    RANDOM,
    evaluate_content,
)
from pronoia.benchmark.in_memory import build_working_set
from pronoia.benchmark.proact import read_proact
from pronoia.domain.errors import InvalidInputError
from pronoia.domain.identifiers import new_id
from pronoia.domain.records import Relationship, RelationshipType
from pronoia.memory import snapshots
from pronoia.memory.analyzer import query_terms
from pronoia.prediction.content import CONTENT_SIGNALS, measure_content
from pronoia.prediction.content_prior import shipped_content_prior
from pronoia.services.drafts import Draft
from pronoia.testing.embedder import HashingEmbedder

WEIGHTS = shipped_content_prior().weight_array()
FACTS = (
    "The oven is in the kitchen",
    "Grace keeps bees on her roof",
    "The bees made twelve jars of honey",
    "Deployments happen on Friday",
    "The car needs new tyres",
    "Honey is sold on the market",
)


def told(*drafts: Draft | str):
    made = [draft if isinstance(draft, Draft) else Draft(draft) for draft in drafts]
    return asyncio.run(build_working_set(HashingEmbedder(), "ada", made))


def vector_of(text: str):
    (vector,) = asyncio.run(HashingEmbedder().embed([text]))
    return np.frombuffer(vector.values, dtype="<f4")


def signal(signals, name: str):
    return signals.values[CONTENT_SIGNALS.index(name)]


def test_without_context_or_recent_memories_all_are_alike():
    signals = measure_content(told(*FACTS), query_terms(""), None, [])
    assert np.ptp(signals.score(WEIGHTS)) == 0
    assert signals.reasons(2, WEIGHTS) == []


def test_what_the_context_speaks_of_comes_first_and_says_so():
    context = "Who keeps bees?"
    signals = measure_content(told(*FACTS), query_terms(context), vector_of(context), [])
    assert int(signals.score(WEIGHTS).argmax()) == 1
    assert signals.reasons(1, WEIGHTS) == ["context_similarity"]


def test_words_of_the_recent_memories_count_with_the_context():
    signals = measure_content(told(*FACTS), query_terms("anything"), None, [2])
    words = signal(signals, "words")
    assert words[5] > 0
    assert words[3] == words[4] == 0
    assert not signal(signals, "words_in_common").any()
    assert signal(measure_content(told(*FACTS), query_terms("honey"), None, [2]), "words_in_common")[5] > 0


def test_what_was_stored_just_after_a_recent_memory_is_likelier():
    held = told(*(f"word{number}" for number in range(8)))
    signals = measure_content(held, query_terms(""), None, [2, 5])
    assert signal(signals, "next")[[0, 1, 3, 4, 6, 7]].tolist() == pytest.approx([0, 0, 1, 1 / 2, 1, 1 / 2])
    assert signal(signals, "distance")[[0, 3, 4, 7]].tolist() == pytest.approx(-np.log1p([8, 1, 2, 2]).astype("f4"))
    assert "stored_after_recent" in signals.reasons(3, WEIGHTS)
    assert signals.reasons(0, WEIGHTS) == []


def test_a_deleted_memory_leaves_no_gap_in_the_order():
    held = told(*(f"word{number}" for number in range(4)))
    held.apply(snapshots.removed(2, held.ids([1])[0]))
    assert signal(measure_content(held, query_terms(""), None, [0]), "next")[2] == 1


def test_a_relationship_with_a_recent_memory_is_a_reason():
    held = told(*FACTS)
    recent, other = held.ids([0, 4])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    links = [
        Relationship(new_id(now), recent, other, RelationshipType.RELATED_TO, 0.4, "", now),
        Relationship(new_id(now), other, recent, RelationshipType.CAUSED_BY, 0.9, "", now),
    ]
    held.apply(snapshots.related(2, links))
    signals = measure_content(held, query_terms(""), None, [0])
    assert signal(signals, "relationship").tolist() == pytest.approx([0, 0, 0, 0, 0.9, 0])
    assert signals.reasons(4, WEIGHTS)[0] == "caused_by_relationship"


def test_session_tags_and_project_are_shared_or_not():
    held = told(
        Draft("a", session_id="s", tags=("x", "y"), project_id="p"),
        Draft("b", session_id="s", tags=("y", "z"), project_id="q"),
        Draft("c", session_id="t", tags=(), project_id="p"),
        Draft("d"),
    )
    signals = measure_content(held, query_terms(""), None, [0])
    assert signal(signals, "session").tolist() == [1, 1, 0, 0]
    assert signal(signals, "project").tolist() == [1, 0, 1, 0]
    assert signal(signals, "tags").tolist() == [1, 0.5, 0, 0]
    assert "same_session" in signals.reasons(1, WEIGHTS)


def test_only_the_latest_recent_memories_count():
    held = told(*(f"word{number}" for number in range(15)))
    signals = measure_content(held, query_terms(""), None, list(range(12)))
    assert signal(signals, "words")[0] == 0
    assert signal(signals, "words")[2] > 0


PROACT = """[
 {"id": "bees", "facts": [{"id": "A", "text": "oven"}, {"id": "B", "text": "hive"}, {"id": "C", "text": "wax"}],
  "needs": [{"id": "1", "text": "oven?", "facts": ["A"], "after": null},
            {"id": "2", "text": "hive?", "facts": ["A", "B"], "after": "1"},
            {"id": "3", "text": "oven again?", "facts": ["A"], "after": "1"}]},
 {"id": "cars", "facts": [{"id": "A", "text": "tyre"}, {"id": "B", "text": "door"}, {"id": "C", "text": "horn"}],
  "needs": [{"id": "1", "text": "tyre?", "facts": ["A"], "after": null},
            {"id": "2", "text": "horn?", "facts": ["C"], "after": "1"}]}]"""


def test_a_proact_file_is_read_into_steps(tmp_path):
    file = tmp_path / "proact.json"
    file.write_text(PROACT)
    bees, cars = read_proact(file)
    assert [(step.context, step.recent, step.wanted) for step in bees.steps] == [("oven?", ("A",), ("B",))]
    assert cars.steps[0].wanted == ("C",)
    file.write_text('{"users": []}')
    with pytest.raises(InvalidInputError):
        read_proact(file)


class OrderedSystem:
    """Predicts the facts in the order in which they were stored."""

    async def remember(self, scenario):
        pass

    async def predict(self, scenario, step):
        return [fact.id for fact in scenario.facts if fact.id not in step.recent]


def test_a_content_evaluation_compares_by_the_rank_of_what_was_wanted(tmp_path):
    file = tmp_path / "proact.json"
    file.write_text(PROACT)
    found = asyncio.run(evaluate_content(OrderedSystem(), read_proact(file), HashingEmbedder()))
    assert found.values[PRONOIA].tolist() == found.values[ORDER].tolist() == [[1, 1, 1], [0, 1, 0.5]]
    assert found.values[RANDOM].tolist() == [[0.5, 1, 0.75], [0.5, 1, 0.75]]
    assert found.values[LEARNED].shape == (2, len(CONTENT_METRICS))
    interval = found.intervals(PRONOIA)["hit@1"]
    assert (interval.mean, interval.low, interval.high) == (50, 0, 100)
    assert found.gains(ORDER)["MRR"].mean == 0
