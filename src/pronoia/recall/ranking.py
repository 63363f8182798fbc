"""From signals to an ordered answer, or to none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pronoia.recall.explanation import explain
from pronoia.recall.names import unknown_names
from pronoia.recall.prior import shipped_prior
from pronoia.recall.relevance import EVIDENCE_ROWS, average_cosine
from pronoia.recall.signals import measure
from pronoia.recall.use import USE_SIGNALS, measure_use

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.memory.working_set import WorkingSet
    from pronoia.recall.explanation import Explanation
    from pronoia.recall.prior import Prior
    from pronoia.recall.query import Query
    from pronoia.recall.signals import Signals


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """What a caller asks of a ranking; None and False ask for nothing."""

    limit: int
    minimum_score: float | None = None
    """Each result must reach it; in [0, 1]. With None, the best must reach the prior's minimum, or none is returned."""
    minimum_helpfulness: float | None = None
    minimum_similarity: float | None = None
    own_evidence: bool = False
    """Each result must share a word with the query, or be nearer to it than the average memory."""
    weight_by_usage: bool = False
    """Let usage, helpfulness and relationships count."""
    decay_old_memories: bool = False
    """Let recency count."""
    explain: bool = False
    weights: NDArray[np.float32] | None = None
    """What a user taught the ranker, in the order of SIGNALS; None takes the shipped prior."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """k results, best first; all arrays have k entries."""

    rows: NDArray[np.intp]
    scores: NDArray[np.float32]
    """How likely a result answers the query, by the query's evidence and its own; in [0, 1], falling with the rank."""
    base_scores: NDArray[np.float32]
    """What the score would be without use."""
    similarities: NDArray[np.float32] | None
    usage_boosts: NDArray[np.float32]
    helpfulness_boosts: NDArray[np.float32]
    recency_boosts: NDArray[np.float32]
    """Factors by which use multiplied the odds of what the query promises; 1 where it did not count."""
    considered: int
    best_score: float | None
    """Of all that were considered, whether it was returned or not; None if nothing was."""
    explanations: list[Explanation] = field(default_factory=list["Explanation"])


def rank(
    working_set: WorkingSet,
    query: Query,
    mask: NDArray[np.bool_],
    now: float,
    options: RankingOptions,
    prior: Prior | None = None,
) -> Ranking:
    """Order the rows that the mask marks, and keep those whose evidence is good enough.

    `now` is in seconds since the epoch. At most `options.limit` results; none if the best evidence is too weak.
    """
    prior = prior or shipped_prior()
    signals = measure(working_set, query, _allowed(working_set, mask, options))
    if not len(signals.rows):
        return _nothing(signals.rows)
    weights = prior.weight_array() if options.weights is None else options.weights
    content = signals.scores(weights)
    leading = _best(content, max(EVIDENCE_ROWS, options.limit))
    first = leading[:EVIDENCE_ROWS]
    use_weights = _use_weights(prior, options)
    use: NDArray[np.float32] | None = None
    totals = content
    if use_weights.any() or options.explain:
        use = measure_use(working_set, signals.rows, first, now)
        totals = content + (use_weights @ use).astype(np.float32, copy=False)
    eligible = _eligible(signals, options)
    best = leading if use is None and eligible is None else _best(totals, len(leading), eligible)

    strangers = unknown_names(working_set, query.text)
    judgement = prior.relevance.judge(signals, first, best, working_set.space, strangers)
    top = content[first[0]]
    scores = prior.relevance.scores(judgement, totals[best] - top)[: options.limit]
    base_scores = prior.relevance.scores(judgement, content[best] - top)
    minimum = prior.relevance.minimum_for(working_set.space)
    count = int(_good_enough(scores, minimum, options.minimum_score).sum())
    kept = best[:count]
    used = np.zeros((len(USE_SIGNALS), len(kept)), dtype=np.float32) if use is None else use[:, kept]
    boosts = np.exp(np.float32(prior.relevance.slope) * use_weights[:, None] * used)
    return Ranking(
        rows=signals.rows[kept],
        scores=scores[:count],
        base_scores=base_scores[:count],
        similarities=_similarities(working_set, signals, kept),
        usage_boosts=boosts[USE_SIGNALS.index("usage")],
        helpfulness_boosts=boosts[USE_SIGNALS.index("helpfulness")],
        recency_boosts=boosts[USE_SIGNALS.index("recency")],
        considered=len(signals.rows),
        best_score=float(scores[0]) if len(scores) else None,
        explanations=explain(signals, weights, used, use_weights, kept) if options.explain else [],
    )


def _allowed(working_set: WorkingSet, mask: NDArray[np.bool_], options: RankingOptions) -> NDArray[np.bool_]:
    if options.minimum_helpfulness is None:
        return mask
    return mask & (working_set.helpfulness[: len(mask)] >= options.minimum_helpfulness)


def _eligible(signals: Signals, options: RankingOptions) -> NDArray[np.bool_] | None:
    """Mark what may be a result at all; None for everything."""
    if signals.similarities is None:
        return signals.word_share > 0 if options.own_evidence else None
    conditions: list[NDArray[np.bool_]] = []
    if options.minimum_similarity is not None:
        conditions.append(signals.similarities >= options.minimum_similarity)
    if options.own_evidence:
        nearer = signals.similarities > average_cosine(signals.similarities)
        conditions.append((signals.word_share > 0) | nearer)
    return np.logical_and.reduce(conditions) if conditions else None


def _good_enough(scores: NDArray[np.float32], default: float, wanted: float | None) -> NDArray[np.bool_]:
    """Cut each result at what the caller wants; by default, cut all or none.

    A question with good evidence often has more of it further down, whose own score is low.
    """
    if wanted is None:
        return np.full(len(scores), len(scores) > 0 and bool(scores[0] >= default))
    return scores >= wanted


def _use_weights(prior: Prior, options: RankingOptions) -> NDArray[np.float32]:
    use = prior.use
    counted = (use.usage, use.helpfulness, use.relationship) if options.weight_by_usage else (0.0, 0.0, 0.0)
    return np.array((*counted, use.recency if options.decay_old_memories else 0.0), dtype=np.float32)


def _best(scores: NDArray[np.float32], count: int, eligible: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
    """Give the places of the `count` highest scores among the eligible, best first; of equals, the newer row."""
    places = np.arange(len(scores)) if eligible is None else np.flatnonzero(eligible)
    if count < len(places):
        places = places[np.argpartition(-scores[places], count - 1)[:count]] if count else places[:0]
    return places[np.lexsort((-places, -scores[places]))]


def _similarities(working_set: WorkingSet, signals: Signals, places: NDArray[np.intp]) -> NDArray[np.float32] | None:
    if signals.similarities is None:
        return None
    # A memory without a vector was ranked as an average one; that average is not its own similarity.
    embedded = working_set.embedded[signals.rows[places]]
    return np.where(embedded, np.clip(signals.similarities[places], 0, 1), 0).astype(np.float32)


def _nothing(rows: NDArray[np.intp]) -> Ranking:
    empty = np.zeros(0, dtype=np.float32)
    return Ranking(rows, empty, empty, None, empty, empty, empty, considered=0, best_score=None)
