from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.records import Memory, NewMemory, Vector
from pronoia.memory import snapshots
from pronoia.memory.analyzer import analyze, query_terms
from pronoia.memory.lexicon import LENGTH_WEIGHT, SATURATION
from pronoia.memory.working_set import WorkingSet
from pronoia.ports.snapshots import UsageColumns

SCOPE = Scope(UUID(int=1), "ada")
START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ("tea", "bees", "honey", "friday", "deploy", "roof")


def new(text: str, minute: int, session: str | None = None, memory_id: UUID | None = None) -> NewMemory:
    at = START + timedelta(minutes=minute)
    vector = Vector("space", np.array([minute % 3 == axis for axis in range(3)], dtype="<f4").tobytes())
    return NewMemory(
        memory_id or new_id(at), text, "api", "default", (), "{}", session, None, None, at, at, analyze(text), vector
    )


def stored(one: NewMemory) -> Memory:
    return Memory(
        one.id, "ada", one.text, "api", "default", (), "{}", one.session_id, None, None, one.occurred_at,
        one.created_at, one.created_at,
    )  # fmt: skip


def filled(memories: list[NewMemory]) -> WorkingSet:
    held = WorkingSet(SCOPE, "space", 3)
    for version, one in enumerate(memories, 1):
        held.apply(snapshots.added(version, [one], [stored(one)], "space"))
    return held


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=30))
def test_word_scores_are_those_of_the_formula(texts: list[list[str]]):
    held = filled([new(" ".join(text), minute) for minute, text in enumerate(texts)])
    scores = held.lexicon.scores(query_terms("tea bees"))
    average = max(sum(map(len, texts)) / len(texts), 1)
    for row, text in enumerate(texts):
        expected = 0.0
        for word in ("tea", "bees"):
            holding = sum(word in other for other in texts)
            count = Counter(text)[word]
            norm = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * len(text) / average)
            idf = math.log1p((len(texts) - holding + 0.5) / (holding + 0.5))
            expected += idf * count * (SATURATION + 1) / (count + norm)
        assert math.isclose(scores[row], expected, rel_tol=1e-4, abs_tol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["s", "t", None])), max_size=25))
def test_neighbours_are_the_nearest_in_time_of_the_same_session(moments: list[tuple[int, str | None]]):
    held = filled([new("tea", minute, session) for minute, session in moments])
    for session in ("s", "t"):
        rows = sorted(
            (row for row, (_, name) in enumerate(moments) if name == session), key=lambda row: (moments[row][0], row)
        )
        for place, row in enumerate(rows):
            assert held.previous[row] == (rows[place - 1] if place else -1)
            assert held.following[row] == (rows[place + 1] if place + 1 < len(rows) else -1)
    assert all(held.previous[row] == -1 for row, (_, name) in enumerate(moments) if name is None)


def test_a_changed_memory_gets_a_new_row_and_keeps_its_counts():
    memory_id = uuid4()
    held = filled([new("tea", 0, memory_id=memory_id), new("bees", 1)])
    held.record_access(held.ids([0])[0], 5.0, counted=True)
    changed = new("honey", 2, memory_id=memory_id)
    held.apply(snapshots.added(3, [changed], [stored(changed)], "space"))
    assert (held.row_of(memory_id), held.count, held.alive.tolist()) == (2, 2, [False, True, True])
    memory = held.memory(2)
    assert (memory.text, memory.usage_count, memory.last_accessed) == ("honey", 1, datetime.fromtimestamp(5, UTC))


def test_a_snapshot_that_arrives_late_does_no_harm():
    first = new("tea", 0)
    held = filled([first, new("bees", 1)])
    held.apply(snapshots.removed(1, first.id))
    assert held.row_of(first.id) == 0


def test_similarity_is_the_cosine_and_zero_without_a_vector():
    held = filled([new("tea", 0), new("bees", 1)])
    bare = new("honey", 2)
    held.apply(snapshots.added(3, [bare], [stored(bare)], "another space"))
    assert held.similarities(np.array([1, 0, 0], dtype=np.float32)).tolist() == [1, 0, 0]
    assert held.embedded.tolist() == [True, True, False]


def test_times_are_exact_to_the_microsecond():
    at = datetime(2026, 3, 4, 5, 6, 7, 123457, tzinfo=UTC)
    one = new("tea", 0)
    memory = Memory(one.id, "ada", "tea", "api", "default", (), "{}", None, None, None, at, at, at)
    held = WorkingSet(SCOPE, "space", 3)
    held.apply(snapshots.added(1, [one], [memory], "space"))
    assert held.memory(0) == memory


def test_what_the_store_counts_leaves_out_no_use_that_it_has_not_heard_of():
    one, other = new("tea", 1), new("bees", 2)
    held = filled([one])
    held.record_access(one.id, 5_000.0, counted=True)
    held.record_access(one.id, 6_000.0, counted=False)
    counted = UsageColumns([one.id], [3], [4_000.0], [0.7])
    held.apply(replace(snapshots.added(2, [other], [stored(other)], "space"), usage=counted))
    row = held.row_of(one.id)
    assert (held.usage_count[row], held.last_accessed[row]) == (4, 5_000.0)
    assert math.isclose(held.helpfulness[row], 0.7, rel_tol=1e-6)


def test_a_deleted_memory_leaves_no_text_and_no_vector():
    one, other = new("tea", 1), new("bees", 2)
    held = filled([one, other])
    held.apply(snapshots.removed(3, one.id))
    assert [held.text(row) for row in range(held.size)] == ["", "bees"]
    assert held.vectors[0].tolist() == [0, 0, 0]
    assert (held.row_of(one.id), held.count) == (None, 1)


def test_a_deleted_memory_leaves_nothing_of_what_it_said_before_it_was_changed():
    memory_id = uuid4()
    held = filled([new("tea", 0, memory_id=memory_id), new("bees", 1)])
    for minute, text in ((2, "green tea"), (3, "black tea")):
        changed = new(text, minute, memory_id=memory_id)
        held.apply(snapshots.added(minute + 1, [changed], [stored(changed)], "space"))
    held.apply(snapshots.removed(5, memory_id))
    assert [held.text(row) for row in range(held.size)] == ["", "bees", "", ""]
    assert held.vectors[[0, 2, 3]].any() == np.False_


def test_a_frozen_set_stays_as_it_was():
    """Another thread reads it while the event loop appends, replaces, forgets and merges words."""
    old, replaced, forgotten = new("tea bees", 0, "a"), new("tea", 1, "a"), new("honey", 2, "a")
    held = filled([old, replaced, forgotten])
    frozen = held.frozen()
    words = query_terms("tea bees honey")
    before = frozen.lexicon.scores(words), frozen.previous, frozen.created_at.copy()
    later = [new(f"tea roof {place}", 3 + place, "a") for place in range(2_000)]
    changed = replace(replaced, text="friday", terms=analyze("friday"))
    held.apply(snapshots.added(4, [changed], [stored(changed)], "space"))
    held.apply(snapshots.added(5, later, [stored(one) for one in later], "space"))
    held.apply(snapshots.removed(6, forgotten.id))
    assert (held.size, frozen.size) == (2_004, 3)
    assert len(frozen.vectors) == len(frozen.alive) == len(frozen.sessions.codes) == 3
    assert frozen.lexicon.scores(words).tolist() == before[0].tolist()
    assert frozen.created_at.tolist() == before[2].tolist()
    assert before[1].tolist() == [-1, 0, 1]
    assert frozen.previous.tolist()[:2] == [-1, 0]
    assert frozen.row_of(old.id) == 0
    assert frozen.row_of(replaced.id) is None
    assert frozen.rows_of([old.id.bytes, replaced.id.bytes, later[0].id.bytes]).tolist() == [0, -1, -1]


def test_rows_of_a_frozen_set_are_still_held_until_one_is_forgotten_or_all_is_read_anew():
    one, other = new("tea", 0), new("bees", 1)
    held = filled([one, other])
    frozen = held.frozen()
    assert held.still_holds(frozen, np.array([0, 1]))
    held.apply(snapshots.removed(3, other.id))
    assert held.still_holds(frozen, np.array([0]))
    assert not held.still_holds(frozen, np.array([0, 1]))
    held.apply(replace(snapshots.added(4, [one], [stored(one)], "space"), complete=True))
    assert not held.still_holds(frozen, np.array([0]))
