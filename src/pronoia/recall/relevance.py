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
    """What speaks for a query being answered at all; each in [0, 1]."""

    words: float
    """The best word share among the first EVIDENCE_ROWS."""
    meaning: float
    """The best cosine among them."""
    average: float
    """The mean cosine of all candidates, see average_cosine(): small talk is near to everything."""
    names: float
    """The share of the query's names that no memory says."""


class Logistic(msgspec.Struct, frozen=True, kw_only=True):
    """Log-odds that a query is answered: the intercept, and a weight a kind of evidence."""

    intercept: float
    words: float = 0.0
    meaning: float = 0.0
    average: float = 0.0
    names: float = 0.0

    def log_odds(self, evidence: Evidence) -> float:
        """Weigh evidence."""
        return (
            self.intercept
            + self.words * evidence.words
            + self.meaning * evidence.meaning
            + self.average * evidence.average
            + self.names * evidence.names
        )


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How sure the ranker may be, from raw evidence: standardised signals look alike for good and bad queries.

    The best result's odds come from the query's evidence alone; each unit of ranking score below it divides them by
    exp(slope). So scores fall as ranks do, and are comparable across queries.
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

    def best_log_odds(self, signals: Signals, places: NDArray[np.intp], space: str, unknown_names: float) -> float:
        """Judge a query by its best candidates; `places` are at most EVIDENCE_ROWS of them."""
        share = float(signals.word_share[places].max())
        if signals.similarities is None:
            return self.words_alone.log_odds(Evidence(share, 0.0, 0.0, unknown_names))
        cosines, average = signals.similarities[places], average_cosine(signals.similarities)
        if space != self.space:
            cosines, average = self._as_known(cosines, signals.similarities), self.cosine_mean
        logistic = self.both if share > 0 else self.meaning_alone
        return logistic.log_odds(Evidence(share, float(cosines.max()), average, unknown_names))

    def _as_known(self, cosines: NDArray[np.float32], all_cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        deviation = float(all_cosines.std())
        if deviation == 0:
            return np.full_like(cosines, self.cosine_mean)
        return (cosines - all_cosines.mean()) / deviation * self.cosine_deviation + self.cosine_mean

    def scores(self, best_log_odds: float, distances: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn distances from the best result, in units of the ranking score, into probabilities."""
        log_odds = np.float32(best_log_odds) + np.float32(self.slope) * distances
        return (1 / (1 + np.exp(-log_odds))).astype(np.float32, copy=False)


def average_cosine(similarities: NDArray[np.float32]) -> float:
    """Give the mean, drawn towards what is usual where there are few."""
    return float((similarities.sum() + USUAL_WEIGHT * USUAL_AVERAGE) / (len(similarities) + USUAL_WEIGHT))
