from __future__ import annotations

import numpy as np
import pytest

from pronoia.learning.guard import FEWEST, WINDOW, beats_prior, ranking_quality


def test_quality_is_the_discounted_gain_of_the_first_ten():
    scores = np.arange(20, 0, -1, dtype=np.float32)
    assert ranking_quality(scores, np.array([0])) == 1.0
    assert ranking_quality(scores, np.array([2])) == pytest.approx(0.5)
    assert ranking_quality(scores, np.array([0, 2])) == pytest.approx(1.5 / (1 + 1 / np.log2(3)))
    assert ranking_quality(scores, np.array([10])) == 0.0


def test_what_scores_like_all_others_is_not_found():
    assert ranking_quality(np.zeros(11, dtype=np.float32), np.array([0])) == 0.0


def test_few_events_prove_nothing():
    assert not beats_prior([0.5] * (FEWEST - 1))
    assert beats_prior([0.5] * FEWEST)


def test_a_mean_gain_that_chance_explains_is_not_enough():
    assert not beats_prior([0.5, -0.4] * 20)
    assert beats_prior([0.5, -0.1] * 20)


def test_a_sure_gain_too_small_to_matter_is_not_enough():
    assert not beats_prior([0.009] * WINDOW)


def test_weights_that_stop_to_help_are_found_out():
    gains = [0.3] * WINDOW
    assert beats_prior(gains)
    assert not beats_prior(gains + [-0.3] * (WINDOW // 2))


def test_random_outcomes_are_seldom_taken_for_a_gain():
    generator = np.random.default_rng(5)
    passed = sum(beats_prior(generator.normal(0, 0.3, size=100).tolist()) for _ in range(1_000))
    assert passed <= 30
