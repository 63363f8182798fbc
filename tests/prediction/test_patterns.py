from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pronoia.prediction.patterns import PatternKind, confidence_of, detect_patterns, distributions
from pronoia.prediction.sessions import count_pairs, members, split_sessions
from pronoia.prediction.significance import binomial_tail, poisson_tail, significant

MONDAY = 1_767_571_200.0  # 2026-01-05T00:00:00Z
DAY = 86_400.0


def background(seed: int, events: int = 3_000, memories: int = 50, days: int = 90):
    """Draw accesses without any pattern but that some memories, and some hours, are busier."""
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    random = np.random.default_rng(seed)
    popularity = random.dirichlet(np.ones(memories))
    hours = random.dirichlet(np.ones(24))
    times = MONDAY + random.integers(0, days, events) * DAY
    times += random.choice(24, events, p=hours) * 3600 + random.uniform(0, 3600, events)
    return random.choice(memories, events, p=popularity), np.sort(times)


def add(memories, times, memory, at):
    memories = np.concatenate((memories, np.full(len(at), memory)))
    times = np.concatenate((times, at))
    order = np.argsort(times, kind="stable")
    return memories[order], times[order]


def test_chance_shows_almost_no_pattern():
    found = [pattern for seed in range(20) for pattern in detect_patterns(*background(seed), UTC)]
    assert len(found) <= 4, found


def test_a_memory_of_the_morning_is_found_with_its_hour():
    memories, times = add(*background(101), 60, MONDAY + np.arange(25) * DAY + 9.5 * 3600)
    found = [one for one in detect_patterns(memories, times, UTC) if one.kind is PatternKind.HOURLY]
    assert [(one.memories, one.slot, one.occurrences, one.confidence) for one in found] == [((60,), 9, 25, 0.9)]


def test_a_memory_of_tuesdays_is_found_by_day_and_by_hour_of_the_week():
    memories, times = add(*background(102), 60, MONDAY + DAY + np.arange(10) * 7 * DAY + 14.25 * 3600)
    found = {(one.kind, one.slot) for one in detect_patterns(memories, times, UTC) if one.memories == (60,)}
    assert {(PatternKind.DAILY, 1), (PatternKind.WEEKLY, 24 + 14)} <= found


def test_one_after_the_other_is_found_in_its_order_and_as_a_pair():
    at = MONDAY + np.arange(12) * 6 * DAY + 3.1 * 3600 * np.arange(12)
    memories, times = add(*add(*background(103), 60, at), 61, at + 2)
    found = detect_patterns(memories, times, UTC)
    assert {one.memories for one in found if one.kind is PatternKind.SEQUENCE} == {(60, 61)}
    (pair,) = [one for one in found if one.kind is PatternKind.CO_ACCESS]
    assert (pair.memories, pair.occurrences) == ((60, 61), 12)


def test_one_busy_morning_is_no_pattern():
    memories, times = add(*background(104), 60, MONDAY + 9 * 3600 + np.arange(30) * 60.0)
    assert not [one for one in detect_patterns(memories, times, UTC) if one.kind is PatternKind.HOURLY]


def test_looking_again_changes_nothing():
    given = add(*background(105), 60, MONDAY + np.arange(25) * DAY)
    assert detect_patterns(*given, UTC) == detect_patterns(*given, UTC)
    assert detect_patterns(np.zeros(0, np.int64), np.zeros(0), UTC) == []


def test_hours_are_those_of_the_users_clock():
    hours, days = distributions(np.array([MONDAY + 23.5 * 3600]), ZoneInfo("Europe/Berlin"))
    assert (hours.index(1), days.index(1)) == (0, 1)
    summer = 1_783_296_000.0  # 2026-07-06T00:00:00Z
    assert distributions(np.array([summer]), ZoneInfo("Europe/Berlin"))[0].index(1) == 2


@pytest.mark.parametrize(("sightings", "confidence"), [(0, 0), (3, 0.3), (10, 0.7), (15, 0.8), (20, 0.9), (900, 0.9)])
def test_confidence_comes_from_evidence(sightings, confidence):
    assert confidence_of(sightings) == pytest.approx(confidence)


def test_sessions_end_after_minutes_of_silence_and_pairs_count_them_once():
    times = np.array([0.0, 10, 20, 30, 1000, 1100])
    memories = np.array([1, 2, 1, 2, 2, 1])
    sessions = split_sessions(times)
    assert sessions.tolist() == [0, 0, 0, 0, 1, 1]
    pairs, counts = count_pairs(members(memories, sessions))
    assert (pairs.tolist(), counts.tolist()) == ([[1, 2]], [2])


def test_tails_and_the_correction_have_their_textbook_values():
    assert binomial_tail(8, 10, 0.5) == pytest.approx(56 / 1024)
    assert binomial_tail(0, 10, 0.5) == 1
    assert poisson_tail(2, 1.0) == pytest.approx(1 - 2 / np.e)
    assert poisson_tail(1, 50.0) == pytest.approx(1.0)
    assert significant([0.001, 0.02, 0.03, 0.9], 4, 0.05).tolist() == [True, True, True, False]
    assert significant([0.001, 0.02, 0.03], 400, 0.05).tolist() == [False] * 3
