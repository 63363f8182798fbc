"""The words and scores of use, at the bounds that clients of the reference API know."""

from __future__ import annotations

import pytest

from pronoia.faces.http.presentation import access_frequency, recency_score


@pytest.mark.parametrize(
    ("uses", "word"),
    [
        (0, "unused"), (1, "low"), (5, "low"), (6, "medium"), (20, "medium"), (21, "high"), (50, "high"),
        (51, "very_high"),
    ],
)  # fmt: skip
def test_how_often_a_memory_is_used_is_said_in_a_word(uses, word):
    assert access_frequency(uses) == word


@pytest.mark.parametrize(
    ("days", "score"), [(None, 0), (0, 1), (7, 1), (7.1, 0.8), (30, 0.8), (30.1, 0.5), (90, 0.5), (90.1, 0.3)]
)
def test_how_lately_a_memory_was_used_is_scored_in_steps(days, score):
    assert recency_score(days) == score
