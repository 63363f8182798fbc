from __future__ import annotations

import numpy as np
import pytest

from pronoia.prediction.blend import CONTRIBUTION, SharedBlend
from pronoia.prediction.experts import measure
from pronoia.prediction.model import Model
from pronoia.prediction.signals import SIGNALS
from pronoia.prediction.statistics import DAY, UseStatistics

START = 1_767_225_600.0
"""A Thursday, midnight in UTC."""


def taught(items: list[int], seconds: float = 600.0) -> tuple[Model, SharedBlend, float]:
    """Give a model after uses at equal distances, and the time of the next."""
    shared = SharedBlend()
    model = Model(shared, "ada")
    for place, item in enumerate(items):
        model.observe(item, START + place * seconds)
    return model, shared, START + len(items) * seconds


def signal(name: str, items: list[int], times: list[float], at: float) -> list[float]:
    statistics = UseStatistics()
    for item, time in zip(items, times, strict=True):
        statistics.record(item, time)
    return measure(statistics, at, np.arange(statistics.memories))[SIGNALS.index(name)].tolist()


def test_a_round_is_learned():
    model, _, at = taught([0, 1, 2, 3] * 40)
    assert int(model.predict(at).probabilities.argmax()) == 0
    assert model.predict(at).probabilities[0] > 0.9


def test_what_is_used_at_this_hour_is_learned():
    generator = np.random.default_rng(3)
    model = Model(SharedBlend(), "ada")
    model.observe(0, START)
    model.observe(1, START + 1)
    for day in range(1, 90):
        item = int(generator.integers(2))
        model.observe(item, START + day * DAY + (8, 20)[item] * 3_600)
    assert int(model.predict(START + 90 * DAY + 8 * 3_600).probabilities.argmax()) == 0
    assert int(model.predict(START + 90 * DAY + 20 * 3_600).probabilities.argmax()) == 1


def test_probabilities_of_the_next_use_add_up_to_one():
    model, _, at = taught([0, 1, 0, 2, 0, 3])
    prediction = model.predict(at)
    assert prediction.probabilities.sum() == pytest.approx(1, abs=1e-5)
    confidences = prediction.confidences(np.arange(4))
    assert ((confidences > 0) & (confidences < 1)).all()


def test_a_new_user_is_predicted_from_the_first_use_on():
    model, _, at = taught([0])
    assert model.predict(at).probabilities.tolist() == [1.0]


def test_the_shipped_prior_prefers_what_was_used_last_and_often():
    model = Model(SharedBlend(), "ada")
    model.replay(np.array([0, 1, 2, 3, 3, 3], dtype=np.int32), START + np.arange(6.0))
    assert int(model.predict(START + 6).probabilities.argmax()) == 3


def test_replaying_a_history_gives_the_same_statistics_as_recording_it():
    generator = np.random.default_rng(7)
    items = np.concatenate((np.arange(20), generator.integers(0, 20, 300))).astype(np.int32)
    times = START + np.cumsum(generator.exponential(5_000, len(items)))
    recorded, replayed = UseStatistics(), UseStatistics()
    for item, time in zip(items.tolist(), times.tolist(), strict=True):
        recorded.record(item, time)
    replayed.replay(items, times)
    at = float(times[-1]) + 500
    np.testing.assert_allclose(
        measure(replayed, at, np.arange(20)), measure(recorded, at, np.arange(20)), rtol=1e-4, atol=1e-4
    )


def test_a_use_that_comes_late_counts_as_the_latest():
    assert signal("recency_rank", [0, 1, 0], [10.0, 20.0, 5.0], 30.0) == pytest.approx([0, -np.log(2)])


def test_frequency_is_the_share_of_uses():
    assert signal("frequency", [0, 0, 0, 1], [0.0, 1.0, 2.0, 3.0], 4.0) == pytest.approx(
        [np.log(0.75 + 1e-4), np.log(0.25 + 1e-4)], rel=1e-5
    )


def test_uses_count_by_their_hour_also_where_none_follows_another():
    """Three memories used once each: nothing follows anything, and the hour alone tells them apart."""
    hours = np.array([8.0, 14.0, 20.0]) * 3_600
    at = START + DAY + 8 * 3_600
    measured = np.exp(signal("hour", [0, 1, 2], (START + hours).tolist(), at)) - 1e-4
    away = np.abs((at - START - DAY) - hours)
    kernel = np.exp(-0.5 * (away / 5_400) ** 2) * 0.5 ** ((at - START - hours) / (30 * DAY))
    recent = (0.5 ** (np.array([2, 1, 0]) / 32) + 0.5 / 3) / (np.sum(0.5 ** (np.array([2, 1, 0]) / 32)) + 0.5)
    season = 0.5 ** ((at - START - hours) / (30 * DAY))
    usual = 0.5 * (recent + (season + 1 / 3) / (season.sum() + 1))
    np.testing.assert_allclose(measured, (kernel + 2 * usual) / (kernel.sum() + 2), rtol=1e-4)


def test_what_is_kept_for_the_next_context_is_of_these_uses_and_this_moment():
    model, shared, at = taught([0, 1, 2, 0, 1])
    first = model.predict(at)
    assert model.predict(at, np.zeros(3, dtype=np.float32)).measured is first.measured
    assert not np.array_equal(model.predict(at + DAY).measured, first.measured)
    model.observe(2, at)
    fresh = Model(shared, "grace")
    fresh.replay(np.array([0, 1, 2, 0, 1, 2], dtype=np.int32), START + 600 * np.arange(6.0))
    np.testing.assert_allclose(model.predict(at + 1).measured, fresh.predict(at + 1).measured, rtol=1e-4, atol=1e-4)


def test_without_a_use_nothing_is_predicted():
    prediction = Model(SharedBlend(), "ada").predict(START)
    assert len(prediction.order) == 0
    assert prediction.confidences(np.arange(0)).tolist() == []


def test_evidence_from_outside_is_added_to_the_log_odds():
    model, _, at = taught([0, 1, 2])
    plain = model.predict(at, np.zeros(3, dtype=np.float32)).probabilities
    moved = model.predict(at, np.array([0, 0, 3], dtype=np.float32)).probabilities
    assert moved[2] / moved[0] == pytest.approx(plain[2] / plain[0] * np.exp(3), rel=1e-3)


def test_confidence_comes_to_hold():
    generator = np.random.default_rng(11)
    shared = SharedBlend()
    model = Model(shared, "ada")
    chances = 0.5 ** np.arange(1, 13)
    items = generator.choice(12, 3_000, p=chances / chances.sum())
    numbers: dict[int, int] = {}
    uses = [numbers.setdefault(int(item), len(numbers)) for item in items]
    said: list[float] = []
    true: list[bool] = []
    for place, item in enumerate(uses):
        at = START + place * 1_000.0
        if 2_000 <= place < 2_900:
            prediction = model.predict(at)
            said += prediction.confidences(np.arange(len(prediction.order))).tolist()
            window = set(uses[place : place + 10])
            true += [number in window for number in prediction.order.tolist()]
        model.observe(item, at)
    bins = np.minimum((np.array(said) * 10).astype(int), 9)
    away = sum(abs(np.array(said)[bins == one].sum() - np.array(true)[bins == one].sum()) for one in range(10)) / len(
        said
    )
    assert away < 0.05


def test_a_forgotten_user_leaves_the_weights_as_they_were():
    shared = SharedBlend()
    first = Model(shared, "grace")
    for place in range(50):
        first.observe(place % 3, START + 100.0 * place)
    before = shared.weights(100).copy()
    saved = shared.take_unsaved()
    second = Model(shared, "ada")
    for place in range(50):
        second.observe(place % 5, START + 90.0 * place)
    assert not np.allclose(shared.weights(100), before)
    shared.forget("ada")
    np.testing.assert_allclose(shared.weights(100), before, atol=1e-6)
    shared.refresh(saved["grace"])
    np.testing.assert_allclose(shared.weights(100), before, atol=1e-6)
    shared.refresh(np.zeros(0))
    np.testing.assert_allclose(shared.weights(100), SharedBlend().weights(100), atol=1e-6)


def test_what_was_saved_is_taken_over_by_another_process():
    _, shared, _ = taught([0, 1, 2] * 20)
    (part,) = shared.take_unsaved().values()
    assert part.shape == (CONTRIBUTION,)
    assert shared.take_unsaved() == {}
    np.testing.assert_allclose(SharedBlend(part).weights(600), shared.weights(600), atol=1e-6)
