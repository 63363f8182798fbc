from __future__ import annotations

import numpy as np
import pytest

from pronoia.learning.contests import Contest, fit_contests

NOTHING = np.zeros(1)


def contest(*differences: float, strength: float = 1.0) -> Contest:
    return Contest(np.array(differences, dtype=np.float32)[:, None], strength)


def test_one_loser_is_pairwise_logistic_regression():
    # The derivative, -sigmoid(-w) + penalty * w, is zero at w = 0.4010581 for a penalty of 1.
    assert fit_contests([contest(-1.0)], 1.0, NOTHING, NOTHING)[0] == pytest.approx(0.4010581, abs=1e-4)


def test_a_contest_of_double_strength_counts_as_two():
    twice = fit_contests([contest(-1.0), contest(-1.0)], 1.0, NOTHING, NOTHING)
    double = fit_contests([contest(-1.0, strength=2.0)], 1.0, NOTHING, NOTHING)
    assert double == pytest.approx(twice, abs=1e-5)


def test_where_it_starts_does_not_matter_and_contests_may_differ_in_size():
    generator = np.random.default_rng(4)
    contests = [Contest(generator.normal(size=(1 + place % 4, 3)).astype(np.float32), 1.0) for place in range(30)]
    towards = np.array([0.5, 0.0, -0.5])
    first = fit_contests(contests, 2.0, towards, towards)
    second = fit_contests(contests, 2.0, towards, np.array([3.0, -3.0, 3.0]))
    assert first == pytest.approx(second, abs=1e-3)


def test_a_heavy_penalty_keeps_the_weights_where_they_are_drawn_to():
    towards = np.array([0.7])
    assert fit_contests([contest(-1.0)], 1e6, towards, towards)[0] == pytest.approx(0.7, abs=1e-4)
