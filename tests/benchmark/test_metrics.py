from __future__ import annotations

import numpy as np
import pytest

from pronoia.benchmark.metrics import METRICS, bootstrap, measure_ranking


def test_a_ranking_is_measured_as_by_hand():
    # Two of three relevant results came first and seventh.
    measured = dict(zip(METRICS, measure_ranking([0, 6], 3), strict=True))
    assert measured["R@5"] == pytest.approx(1 / 3)
    assert measured["R@10"] == measured["R@20"] == pytest.approx(2 / 3)
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    assert measured["nDCG@10"] == pytest.approx((1 + 1 / 3) / ideal)
    assert (measured["MRR"], measured["hit@10"]) == (1, 1)


def test_nothing_found_measures_zero():
    assert measure_ranking([], 2).tolist() == [0] * len(METRICS)


def test_an_interval_is_that_of_the_mean():
    generator = np.random.default_rng(1)
    values = generator.normal(0.5, 0.1, (400, 1))
    (interval,) = bootstrap(values)
    assert interval.mean == pytest.approx(values.mean() * 100)
    half = 1.96 * values.std() / 20 * 100
    assert interval.low == pytest.approx(interval.mean - half, abs=0.15)
    assert interval.high == pytest.approx(interval.mean + half, abs=0.15)


def test_equal_values_leave_no_doubt():
    (interval,) = bootstrap(np.full((50, 1), 0.25))
    assert (interval.low, interval.mean, interval.high) == pytest.approx((25, 25, 25))
