from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pronoia.resilience.burst import WINDOW_SECONDS, BurstDetector


def observed(detector, times):
    """Give the places of the requests that made a burst, each request costing one."""
    return [place for place, now in enumerate(times, 1) if detector.observe(now, place - 1, place)]


def test_the_fifty_first_request_within_ten_seconds_is_a_burst():
    assert observed(BurstDetector(50), [0.1 * place for place in range(60)]) == [51]


def test_a_steady_five_a_second_is_none():
    assert observed(BurstDetector(50), [0.2 * place for place in range(1_000)]) == []


def test_a_burst_is_told_once_and_then_counted_anew():
    assert observed(BurstDetector(50), [0.0] * 110) == [51, 102]


def test_what_others_spent_between_counts():
    detector = BurstDetector(50)
    assert not detector.observe(0.0, 0, 1)
    assert detector.observe(5.0, 50, 51)
    assert not detector.observe(0.0, 0, 1)
    assert not detector.observe(10.0, 1_000, 1_001)


def test_a_total_that_was_lost_begins_anew():
    detector = BurstDetector(50)
    assert not detector.observe(0.0, 900, 901)
    assert not detector.observe(1.0, 0, 1)
    assert not detector.observe(2.0, 49, 50)
    assert detector.observe(3.0, 51, 52)


@given(st.lists(st.floats(0, 2), max_size=300))
def test_every_burst_that_is_told_is_one(pauses):
    detector, times, now = BurstDetector(20), [], 0.0
    for place, pause in enumerate(pauses):
        now += pause
        times.append(now)
        if detector.observe(now, place, place + 1):
            assert sum(now - WINDOW_SECONDS < time <= now for time in times) > 20


def test_memory_is_bounded_by_the_slots():
    detector = BurstDetector(1e9)
    for place in range(10_000):
        detector.observe(place / 100, place, place + 1)
    assert len(detector._samples) <= 11
