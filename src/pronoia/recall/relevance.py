"""From evidence to a score in [0, 1] that means the same for every query."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.recall.signals import Signals

EVIDENCE_ROWS = 10
"""The best candidates whose raw evidence decides whether a query is answered at all."""
USUAL_AVERAGE = 0.3
"""Mean cosine to expect of a memory before it is seen; chosen."""
USUAL_WEIGHT = 10
"""Memories that the expectation counts for: of one or two, the best is the average and would never stand out."""


class Evidence(NamedTuple):
    """What speaks for each of k memories answering the query, or for k queries being answered; all in [0, 1]."""

    words: NDArray[np.float32]
    """Word shares, (k,)."""
    meaning: NDArray[np.float32]
    """Cosines, (k,)."""
    average: float
    """The mean cosine of all candidates, see average_cosine(): small talk is near to everything."""
    names: float
    """The share of the query's names that no memory says."""


class Logistic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Log-odds of an answer: the intercept, and a weight a kind of evidence."""

    intercept: float
    words: float = 0.0
    meaning: float = 0.0
    average: float = 0.0
    names: float = 0.0

    def log_odds(self, evidence: Evidence) -> NDArray[np.float32]:
        """Weigh evidence, (k,)."""
        certain = self.intercept + self.average * evidence.average + self.names * evidence.names
        weighed = self.words * evidence.words + self.meaning * evidence.meaning
        return (certain + weighed).astype(np.float32, copy=False)


class Judgement(NamedTuple):
    """Log-odds from raw evidence."""

    query: float
    """That the query is answered at all, by the best evidence of each kind among the first candidates."""
    own: NDArray[np.float32]
    """That it would be if each candidate stood alone, (k,)."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How sure the ranker may be, from raw evidence: standardised signals look alike for good and bad queries.

    What a query promises comes from its best evidence; each unit of ranking score below the best result divides those
    odds by exp(slope). A result's score is made of that promise and of the result's own evidence.
    """

    space: str
    """The embedding space whose cosines the logistics know."""
    cosine_mean: float
    cosine_deviation: float
    """Of all memories against a query in that space, on average: other spaces' cosines are brought to them."""
    both: Logistic
    words_alone: Logistic
    """For queries without a vector."""
    meaning_alone: Logistic
    """For queries that share no word with any memory: then words say nothing either way."""
    slope: float
    minimum: float
    """The least score of the best result that is worth an answer."""

    def minimum_for(self, space: str) -> float:
        """Give the default minimum: none where another model's cosines are only roughly understood."""
        return self.minimum if space == self.space else 0.0

    def judge(
        self, signals: Signals, first: NDArray[np.intp], places: NDArray[np.intp], space: str, unknown_names: float
    ) -> Judgement:
        """Judge a query by its `first` candidates, at most EVIDENCE_ROWS, and those at `places` each by its own."""
        share = signals.word_share
        best_share = share[first].max(keepdims=True)
        if signals.similarities is None:
            nothing = np.zeros(1, dtype=np.float32)
            logistic, own = self.words_alone, Evidence(share[places], nothing, 0.0, unknown_names)
            best = own._replace(words=best_share)
        else:
            cosines, average = signals.similarities, average_cosine(signals.similarities)
            if space != self.space:
                cosines, average = self._as_known(cosines), self.cosine_mean
            logistic = self.both if best_share[0] > 0 else self.meaning_alone
            own = Evidence(share[places], cosines[places], average, unknown_names)
            best = own._replace(words=best_share, meaning=cosines[first].max(keepdims=True))
        return Judgement(float(logistic.log_odds(best)[0]), logistic.log_odds(own))

    def _as_known(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        deviation = float(cosines.std())
        if deviation == 0:
            return np.full_like(cosines, self.cosine_mean)
        return (cosines - cosines.mean()) / np.float32(deviation) * self.cosine_deviation + self.cosine_mean

    def scores(self, judgement: Judgement, distances: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn distances from the best result, in units of the ranking score, into probabilities that fall with them.

        Each is the geometric mean of what the query promises at that distance and of what the candidate shows by
        itself: one that is about something else stays low however sure the first is. None is below one that ranks
        after it, since the ranking knows more than the evidence: sessions, speakers, what was learned.
        """
        promised = _probability(np.float32(judgement.query) + np.float32(self.slope) * distances)
        scores = np.sqrt(promised * _probability(judgement.own))
        last_first = np.argsort(distances, kind="stable")
        scores[last_first] = np.maximum.accumulate(scores[last_first])
        return scores


def _probability(log_odds: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-log_odds))).astype(np.float32, copy=False)


def average_cosine(similarities: NDArray[np.float32]) -> float:
    """Give the mean, drawn towards what is usual where there are few."""
    return float((similarities.sum() + USUAL_WEIGHT * USUAL_AVERAGE) / (len(similarities) + USUAL_WEIGHT))
