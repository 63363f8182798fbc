from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pronoia.benchmark.events import Event, read_events
from pronoia.benchmark.prediction_evaluation import evaluate
from pronoia.benchmark.prediction_in_memory import InMemoryPrediction
from pronoia.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

CYCLE = [Event("one", "abc"[step % 3], 600.0 * step) for step in range(100)]


class Oracle:
    """Says what it is told to say."""

    def __init__(self, answer: list[tuple[str, float]]) -> None:
        self.answer = answer
        self.seen: list[str] = []

    async def observe(self, user: str, item: str, at: float) -> None:
        del user, at
        self.seen.append(item)

    async def predict(self, user: str, at: float, limit: int) -> list[tuple[str, float]]:
        del user, at
        return self.answer[:limit]


def test_the_last_fifth_is_tested_and_everything_is_observed():
    oracle = Oracle([("c", 1.0), ("a", 1.0), ("never", 0.0)])
    evaluation = asyncio.run(evaluate(oracle, CYCLE))
    assert len(oracle.seen) == 100
    assert len(evaluation.users) == 20
    assert evaluation.means("pronoia")["hr@1"] == pytest.approx(7 / 20)
    assert evaluation.means("pronoia")["mrr@10"] == pytest.approx((7 + 7 / 2) / 20)
    assert evaluation.means("markov")["hr@1"] == 1.0
    assert evaluation.means("last_used")["hr@1"] == 0.0
    assert evaluation.ece == 0.0


def test_what_alternates_is_learned():
    result = asyncio.run(evaluate(InMemoryPrediction(), CYCLE)).to_json()
    assert set(result) == {"pronoia", "most_used", "last_used", "decayed", "markov", "time_of_week"}
    own = result["pronoia"]
    assert isinstance(own, dict)
    assert own["hr@10"] == 1.0
    assert own["hr@1"] >= 0.9
    assert set(own["intervals"]) == {"hr@1", "hr@5", "hr@10", "mrr@10"}


def test_users_with_few_uses_are_left_out():
    with pytest.raises(ValueError, match="No user has 20"):
        asyncio.run(evaluate(InMemoryPrediction(), CYCLE[:19]))


def test_events_are_read_in_the_order_of_time(tmp_path: Path):
    file = tmp_path / "events.csv"
    file.write_text("user,item,time\nu,b,1970-01-01T00:01:00\nu,a,1970-01-01T01:00:00+01:00\n")
    assert read_events(file) == [Event("u", "a", 0.0), Event("u", "b", 60.0)]


@pytest.mark.parametrize("line", ["u,b", "u,b,yesterday", "u,,1970-01-01"])
def test_a_bad_line_is_named(tmp_path: Path, line: str):
    file = tmp_path / "events.csv"
    file.write_text(f"user,item,time\nu,a,1970-01-01\n{line}\n")
    with pytest.raises(InvalidInputError, match="line 3"):
        read_events(file)


def test_a_file_without_the_columns_is_refused(tmp_path: Path):
    file = tmp_path / "events.csv"
    file.write_text("a,b\n")
    with pytest.raises(InvalidInputError, match="line 1"):
        read_events(file)
