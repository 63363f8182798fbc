"""Offering what fits a context, unasked; or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from pronoia.domain.records import AccessKind, Filters
from pronoia.memory.analyzer import query_terms, words
from pronoia.memory.columns import split
from pronoia.memory.link_table import RELATIONSHIP_TYPES
from pronoia.recall.prior import shipped_suggestion_prior
from pronoia.services.drafts import check_text
from pronoia.services.recall import MAXIMUM_QUERY_LENGTH, WORDS_AND_VECTORS, SearchRequest
from pronoia.services.timing import timed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Memory, RelationshipType
    from pronoia.memory.residents import Residents
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter
    from pronoia.recall.ranking import Ranking
    from pronoia.services.outcomes import Outcomes
    from pronoia.services.ranking_weights import RankingWeights
    from pronoia.services.recall import Recall
    from pronoia.services.uses import Uses

WITHHELD_SHARE = 0.05
"""Of the answers that suggest something: what is used without having been suggested tells what suggesting adds."""
ALWAYS_SHOWN = 20
"""A user's first suggestions in this process, none of which is withheld: whoever tries it out should see it work."""
MAXIMUM_COUNTED_USERS = 100_000
STRONG_RELATIONSHIP = 0.6
MAXIMUM_RELATED = 10


@dataclass(frozen=True, slots=True)
class SuggestRequest:
    context: str
    filters: Filters = field(default_factory=Filters)
    limit: int = 5
    minimum_confidence: float = 0.6
    """In [0, 1]. Above 0 a memory must also have evidence of its own; at 0 the best there is will do."""
    used_ids: tuple[UUID, ...] = ()
    """What the caller used of earlier suggestions; ids that the user does not own say nothing."""


@dataclass(frozen=True, slots=True)
class Related:
    """The memory at the other end of a relationship in either direction."""

    memory_id: UUID
    type: RelationshipType
    strength: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    memory: Memory
    confidence: float
    """How likely the context is about this memory, by what all evidence and what its own says; in [0, 1]."""
    similarity: float | None
    common_words: list[str]
    """The words of the context that the memory says too."""
    related: list[Related]
    """Strongest first."""


@dataclass(frozen=True, slots=True)
class Suggested:
    suggestions: list[Suggestion]
    silent: bool
    """True if nothing reached the minimum confidence."""
    weights: dict[str, float]
    """The four classic weights of what ranked, as RankingWeights.classic gives them."""
    version: int
    withheld: bool = False
    """True if there was something to suggest, and chance had it held back."""
    whole: bool = True
    """False if a part was away that would have said more."""


class Suggest:
    """Speaks only when sure. The ranking is that of a search, judged by a stricter calibration."""

    def __init__(
        self,
        *,
        recall: Recall,
        residents: Residents,
        uses: Uses,
        outcomes: Outcomes,
        ranking_weights: RankingWeights,
        clock: Clock,
        meter: Meter,
        draw: Callable[[], float],
    ) -> None:
        """`draw` gives a random number in [0, 1)."""
        self._recall = recall
        self._residents = residents
        self._uses = uses
        self._outcomes = outcomes
        self._ranking_weights = ranking_weights
        self._clock = clock
        self._meter = meter
        self._draw = draw
        self._shown: dict[bytes, int] = {}

    async def suggest(self, scope: Scope, request: SuggestRequest, minimum_version: int | None = None) -> Suggested:
        """Give the memories that fit a context, best first. Raises InvalidInputError naming the field."""
        check_text(request.context, "context", MAXIMUM_QUERY_LENGTH)
        await self.used(scope, request.used_ids, minimum_version)
        found = await self.find(scope, request, self._clock.now(), minimum_version)
        withheld = self.shown(scope, request.context, [one.memory.id for one in found.suggestions])
        return replace(found, suggestions=[] if withheld else found.suggestions, withheld=withheld)

    async def find(
        self, scope: Scope, request: SuggestRequest, at: datetime, minimum_version: int | None = None
    ) -> Suggested:
        """Give what would be suggested as of a time, and note nothing. Raises InvalidInputError."""
        check_text(request.context, "context", MAXIMUM_QUERY_LENGTH)
        with timed(self._meter, self._clock, "suggestion_duration_seconds"):
            return await self._find(scope, request, at, minimum_version)

    async def _find(
        self, scope: Scope, request: SuggestRequest, at: datetime, minimum_version: int | None
    ) -> Suggested:
        search = SearchRequest(
            query=request.context,
            filters=request.filters,
            limit=request.limit,
            min_score=request.minimum_confidence,
            own_evidence=request.minimum_confidence > 0,
            weight_by_usage=True,
        )
        relevance = shipped_suggestion_prior().relevance
        held, ranking, method = await self._recall.ranked(scope, search, at, minimum_version, relevance)
        said = _words_with_terms(request.context)
        suggestions = [_suggestion(held, ranking, place, said) for place in range(len(ranking.rows))]
        weights = await self._ranking_weights.classic(scope)
        return Suggested(suggestions, not suggestions, weights, held.version, whole=method == WORDS_AND_VECTORS)

    def shown(self, scope: Scope, context: str, memory_ids: Sequence[UUID]) -> bool:
        """Note what is about to be suggested, and say whether chance withholds it."""
        withheld = bool(memory_ids) and self._withholds(scope)
        self._outcomes.record_suggestion(scope, memory_ids, withheld=withheld, silent=not memory_ids)
        if not withheld:
            self._ranking_weights.suggested(scope, context, memory_ids)
        outcome = "withheld" if withheld else "shown" if memory_ids else "silent"
        self._meter.count("suggestions_total", outcome=outcome)
        self._meter.count("memory_operations_total", operation="suggest")
        return withheld

    async def used(self, scope: Scope, used_ids: Sequence[UUID], minimum_version: int | None = None) -> None:
        """Note what the caller used of earlier suggestions."""
        if not used_ids:
            return
        held = await self._residents.get(scope, minimum_version)
        used = [one for one in dict.fromkeys(used_ids) if held is None or held.row_of(one) is not None]
        self._uses.record(scope, used, AccessKind.RECALL)
        for memory_id in used:
            self._outcomes.record_use(scope, memory_id, self._clock.now())
            self._ranking_weights.used(scope, memory_id)

    def _withholds(self, scope: Scope) -> bool:
        shown = self._shown.get(scope.digest, 0)
        if shown >= ALWAYS_SHOWN:
            return self._draw() < WITHHELD_SHARE
        if len(self._shown) >= MAXIMUM_COUNTED_USERS:
            self._shown.clear()
        self._shown[scope.digest] = shown + 1
        return False


def _suggestion(
    held: WorkingSet, ranking: Ranking, place: int, said: Sequence[tuple[str, frozenset[int]]]
) -> Suggestion:
    memory = held.memory(int(ranking.rows[place]))
    terms = query_terms(memory.text).tolist()
    return Suggestion(
        memory=memory,
        confidence=float(ranking.scores[place]),
        similarity=None if ranking.similarities is None else float(ranking.similarities[place]),
        common_words=[word for word, meant in said if not meant.isdisjoint(terms)],
        related=_related(held, memory.id),
    )


def _words_with_terms(text: str) -> list[tuple[str, frozenset[int]]]:
    """Give the words of a text, each once, that mean something, and what they mean."""
    meant = ((word, frozenset(query_terms(word).tolist())) for word in dict.fromkeys(words(text)))
    return [(word, terms) for word, terms in meant if terms]


def _related(held: WorkingSet, memory_id: UUID) -> list[Related]:
    around = held.links.around(memory_id)
    strong = min(int(np.count_nonzero(around.strengths >= STRONG_RELATIONSHIP)), MAXIMUM_RELATED)
    others = split(around.others[:strong].tobytes())
    types: list[int] = around.types[:strong].tolist()
    strengths: list[float] = around.strengths[:strong].tolist()
    return [
        Related(UUID(bytes=other), RELATIONSHIP_TYPES[kind], strength)
        for other, kind, strength in zip(others, types, strengths, strict=True)
    ]
