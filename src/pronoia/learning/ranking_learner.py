"""What one user's judgements teach the ranker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pronoia.learning.contests import Contest, fit_contests
from pronoia.learning.guard import beats_prior, ranking_quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

BACKGROUND = 64
"""Memories drawn at random that a winner must beat beside those shown. What was shown is alike in what the serving
weights prefer, and alone hides it: without the others the guard let half as much of the gain through on LoCoMo."""
PENALTY = 5.0
"""Judged queries that weigh as much as where the weights are drawn to. 1 to 5 were equal on LoCoMo, 20 slower."""
FEWEST_NEW = 5
GROWTH = 0.1
"""Weights are fitted again after so many new queries, or this share of all if that is more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one query. The arrays of places name rows of `candidates`."""

    candidates: NDArray[np.float32]
    """Standardised signals of all memories of the user; (n, k)."""
    helpful: NDArray[np.intp]
    strengths: NDArray[np.float64]
    """How much each helpful one says, in (0, 1]."""
    unhelpful: NDArray[np.intp]
    shown: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Event:
    weights_before: NDArray[np.float64]
    """What had been learned when the query was first judged."""
    gain: float | None
    """Of those over the prior; None where nothing had been learned."""
    contests: list[Contest]


class RankingLearner:
    """Learns from judged queries one after another, and knows whether that helps.

    `towards` are the organisation's weights; `prior` is what learned weights must beat to be served. It holds what it
    is given until it is told to forget it, about 4 kB a query.
    """

    def __init__(self, prior: NDArray[np.float32], towards: NDArray[np.float64]) -> None:
        self._prior = prior
        self._towards = towards
        self._fitted: NDArray[np.float64] | None = None
        self._events: dict[str, _Event] = {}
        self._new = 0

    @property
    def weights(self) -> NDArray[np.float32] | None:
        """What was learned so far, (k,); None before the first fit."""
        return None if self._fitted is None else self._fitted.astype(np.float32)

    @property
    def helps(self) -> bool:
        """Whether the weights beat the prior on queries that they were not fitted to."""
        gains = [event.gain for event in self._events.values() if event.gain is not None]
        return self._fitted is not None and beats_prior(gains)

    def learn(self, query: str, outcome: Outcome) -> bool:
        """Take in what became of a query, and say whether the weights were fitted again.

        A query that was judged before is replaced, and still scored under the weights from before its first judgement.
        """
        known = self._events.get(query)
        before = known.weights_before if known else self._towards if self._fitted is None else self._fitted
        learned = known.gain is not None if known else self._fitted is not None
        gain = self._gain(outcome, before) if learned else None
        self._events[query] = _Event(before, gain, _contests(query, outcome))
        if known is None:
            self._new += 1
        if self._new < max(FEWEST_NEW, GROWTH * len(self._events)):
            return False
        self._fit()
        return True

    def forget(self, query: str) -> None:
        """Drop a query; the next fit is without it."""
        self._events.pop(query, None)

    def _fit(self) -> None:
        contests = [contest for event in self._events.values() for contest in event.contests]
        if contests:
            start = self._towards if self._fitted is None else self._fitted
            self._fitted = fit_contests(contests, PENALTY, self._towards, start)
        self._new = 0

    def _gain(self, outcome: Outcome, weights: NDArray[np.float64]) -> float:
        """Compare rankings of all memories: among those shown alone, weights against the prior would look good."""
        learned = outcome.candidates @ weights.astype(np.float32)
        prior = outcome.candidates @ self._prior
        gain = 0.0
        if len(outcome.helpful):
            gain += ranking_quality(learned, outcome.helpful) - ranking_quality(prior, outcome.helpful)
        if len(outcome.unhelpful):
            gain -= ranking_quality(learned, outcome.unhelpful) - ranking_quality(prior, outcome.unhelpful)
        return gain


def _contests(query: str, outcome: Outcome) -> list[Contest]:
    """Let each helpful memory win against those shown and some others, and each shown win against an unhelpful one."""
    judged = np.concatenate((outcome.helpful, outcome.unhelpful))
    others = np.setdiff1d(np.union1d(outcome.shown, _background(query, len(outcome.candidates))), judged)
    losers = np.concatenate((others, outcome.unhelpful)).astype(np.intp)
    share = 1 / max(len(outcome.helpful), 1)
    contests = [
        Contest(outcome.candidates[losers] - outcome.candidates[winner], float(strength) * share)
        for winner, strength in zip(outcome.helpful, outcome.strengths, strict=True)
        if len(losers)
    ]
    beside = np.setdiff1d(outcome.shown, judged)
    for loser in outcome.unhelpful:
        contests.extend(
            Contest(outcome.candidates[[loser]] - outcome.candidates[winner], 1 / len(beside)) for winner in beside
        )
    return contests


def _background(query: str, count: int) -> NDArray[np.intp]:
    """Draw the same for the same query, so that fitting again changes nothing."""
    seed = int.from_bytes(hashlib.blake2b(query.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).choice(count, min(BACKGROUND, count), replace=False).astype(np.intp)
