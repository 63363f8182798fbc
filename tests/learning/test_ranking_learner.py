from __future__ import annotations

import numpy as np
import pytest

from pronoia.learning.ranking_learner import FEWEST_NEW, Outcome, RankingLearner

SIZE = 200
PRIOR = np.ones(3, dtype=np.float32)
TRUTH = np.array([2.0, 0.0, -1.0], dtype=np.float32)
NOBODY = np.zeros(0, dtype=np.intp)


def outcome(generator: np.random.Generator, *, noise: bool = False, unhelpful: bool = False) -> Outcome:
    """Make a query whose best memory by TRUTH, or a random one, was found helpful among the ten best by PRIOR."""
    candidates = generator.normal(size=(SIZE, 3)).astype(np.float32)
    shown = np.argsort(-(candidates @ PRIOR))[:10]
    chosen = generator.choice(SIZE, 1) if noise else np.argsort(-(candidates @ TRUTH))[:1]
    if unhelpful:
        worst = shown[np.argsort(candidates[shown] @ TRUTH)[:1]]
        return Outcome(candidates, NOBODY, np.zeros(0), worst, shown)
    return Outcome(candidates, chosen, np.ones(1), NOBODY, shown)


def taught(count: int, seed: int = 1, **kind: bool) -> RankingLearner:
    generator = np.random.default_rng(seed)
    learner = RankingLearner(PRIOR, PRIOR.astype(np.float64))
    for place in range(count):
        learner.learn(f"query {place}", outcome(generator, **kind))
    return learner


def test_nothing_is_learned_before_there_are_a_few_queries():
    assert taught(FEWEST_NEW - 1).weights is None
    assert taught(FEWEST_NEW).weights is not None


def test_judgements_turn_the_weights_towards_what_they_prefer():
    weights = taught(100).weights
    assert weights is not None
    cosine = weights @ TRUTH / np.linalg.norm(weights) / np.linalg.norm(TRUTH)
    assert cosine > 0.95


def test_weights_help_once_they_beat_the_prior_on_queries_that_they_had_not_seen():
    assert not taught(FEWEST_NEW + 5).helps
    assert taught(100).helps


@pytest.mark.parametrize("seed", range(5))
def test_noise_teaches_weights_that_are_not_served(seed: int):
    learner = taught(200, seed, noise=True)
    assert learner.weights is not None
    assert not learner.helps


def test_weights_are_not_served_any_more_when_the_user_changes():
    learner = taught(100)
    generator = np.random.default_rng(9)
    for place in range(200):
        turned = outcome(generator)
        best_by_prior = np.argsort(-(turned.candidates @ PRIOR))[:1]
        learner.learn(f"later {place}", Outcome(turned.candidates, best_by_prior, np.ones(1), NOBODY, turned.shown))
    assert not learner.helps


def test_what_was_unhelpful_loses_against_what_was_shown_beside_it():
    weights = taught(60, unhelpful=True).weights
    assert weights is not None
    assert weights[0] > weights[1] > weights[2]


def test_a_use_moves_less_than_a_judgement():
    generator = np.random.default_rng(3)
    outcomes = [outcome(generator) for _ in range(FEWEST_NEW)]
    moved = []
    for strength in (0.3, 1.0):
        learner = RankingLearner(PRIOR, PRIOR.astype(np.float64))
        for place, one in enumerate(outcomes):
            learner.learn(
                str(place), Outcome(one.candidates, one.helpful, np.array([strength]), one.unhelpful, one.shown)
            )
        assert learner.weights is not None
        moved.append(float(np.linalg.norm(learner.weights - PRIOR)))
    assert 0 < moved[0] < moved[1]


def test_the_same_judgements_teach_the_same():
    assert taught(40).weights == pytest.approx(taught(40).weights)


def test_a_forgotten_query_teaches_nothing_any_more():
    generator = np.random.default_rng(7)
    first, *later = (outcome(generator) for _ in range(2 * FEWEST_NEW))
    alone = np.zeros(1, dtype=np.intp)
    says_nothing = Outcome(first.candidates, NOBODY, np.zeros(0), alone, alone)
    learned = []
    for begin in (first, says_nothing):
        learner = RankingLearner(PRIOR, PRIOR.astype(np.float64))
        learner.learn("first", begin)
        for place, one in enumerate(later):
            if place == FEWEST_NEW:
                learner.forget("first")
            learner.learn(str(place), one)
        learned.append(learner.weights)
    assert learned[0] == pytest.approx(learned[1], abs=1e-3)


def test_judging_a_query_again_replaces_it():
    generator = np.random.default_rng(2)
    learner = RankingLearner(PRIOR, PRIOR.astype(np.float64))
    for _ in range(10 * FEWEST_NEW):
        learner.learn("the same", outcome(generator))
    assert learner.weights is None
