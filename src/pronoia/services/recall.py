"""Reading: find, get and list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pronoia.domain.errors import NotFoundError
from pronoia.domain.records import AccessKind, Filters, Memory
from pronoia.memory.filtering import matching
from pronoia.memory.working_set import WorkingSet
from pronoia.recall.query import Query
from pronoia.recall.ranking import RankingOptions, rank
from pronoia.services.drafts import check_text
from pronoia.services.timing import timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor
    from datetime import datetime
    from uuid import UUID

    from numpy.typing import NDArray

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Vector
    from pronoia.memory.residents import Residents
    from pronoia.ports.clock import Clock
    from pronoia.ports.embedder import Embedder
    from pronoia.ports.memory_store import MemoryStore
    from pronoia.ports.telemetry import Meter
    from pronoia.recall.prior import Prior
    from pronoia.recall.ranking import Ranking
    from pronoia.recall.relevance import Calibration
    from pronoia.services.outcomes import Outcomes
    from pronoia.services.query_vectors import QueryVectors
    from pronoia.services.ranking_weights import RankingWeights
    from pronoia.services.uses import Uses

MAXIMUM_QUERY_LENGTH = 10_000
CANDIDATES = 400
"""How many the database offers by each way of searching, for users above the resident limit."""
LARGEST_INLINE = 20_000
"""Rows that are ranked in about 2 ms; more are ranked off the event loop."""
FREQUENT_USE = 5
RECENT_SECONDS = 7 * 86_400
OLD_SECONDS = 90 * 86_400
SESSION_PREFIX = "session:"
WORDS_AND_VECTORS = "vector_similarity"
WORDS_ALONE = "text_search"
"""The query could not be embedded."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    query: str
    filters: Filters
    limit: int = 10
    min_score: float | None = None
    """Least score in [0, 1]; None takes the shipped threshold."""
    minimum_helpfulness: float | None = None
    minimum_similarity: float | None = None
    own_evidence: bool = False
    """Each result must share a word with the query, or be nearer to it than the average memory."""
    weight_by_usage: bool = False
    decay_old_memories: bool = False
    learning_mode: bool = False
    adaptive_weights: bool = True
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A found memory. `score` is the probability that it answers the query, as far as the ranker can tell."""

    memory: Memory
    score: float
    base_score: float
    similarity: float | None
    usage_boost: float = 1.0
    helpfulness_boost: float = 1.0
    recency_boost: float = 1.0
    boosted_by_usage: bool = False
    boosted_by_recency: bool = False
    penalized_by_age: bool = False
    explanation: tuple[dict[str, float | str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    hits: list[Hit]
    method: str
    version: int
    abstained: bool
    """True if memories were considered and none was good enough."""
    best_score: float | None


@dataclass(frozen=True, slots=True)
class Page:
    memories: list[Memory]
    total: int
    next_cursor: UUID | None
    version: int


class Recall:
    """Answers from the working set; above the resident limit from what the database offers, by the same ranker."""

    def __init__(
        self,
        *,
        store: MemoryStore,
        embedder: Embedder,
        query_vectors: QueryVectors,
        residents: Residents,
        uses: Uses,
        outcomes: Outcomes,
        ranking_weights: RankingWeights,
        clock: Clock,
        meter: Meter,
        executor: Executor,
        prior: Prior,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._query_vectors = query_vectors
        self._residents = residents
        self._uses = uses
        self._outcomes = outcomes
        self._ranking_weights = ranking_weights
        self._clock = clock
        self._meter = meter
        self._executor = executor
        self._prior = prior

    async def get(
        self, scope: Scope, memory_id: UUID, context: str | None = None, minimum_version: int | None = None
    ) -> tuple[Memory, int, int]:
        """Give a memory, how many relationships it has, and the version; counts as a use. Raises NotFoundError."""
        self._uses_allowed(context)
        self._meter.count("memory_operations_total", operation="get")
        held = await self._residents.get(scope, minimum_version)
        if held is None:
            memory = await self._store.memory(scope, memory_id)
            links = await self._store.link_count(scope, memory_id)
            state = await self._store.state(scope)
            self._uses.record(scope, [memory_id], AccessKind.GET, context)
            return memory, links, state.version
        row = held.row_of(memory_id)
        if row is None:
            raise NotFoundError("There is no such memory.", id=str(memory_id))
        self._uses.record(scope, [memory_id], AccessKind.GET, context)
        self._ranking_weights.used(scope, memory_id)
        links = len(held.links.around(memory_id).others)
        return held.memory(row), links, held.version

    async def page(
        self,
        scope: Scope,
        filters: Filters,
        *,
        before: UUID | None = None,
        offset: int = 0,
        limit: int = 100,
        ascending: bool = False,
        minimum_version: int | None = None,
    ) -> Page:
        """List memories, newest first unless `ascending`. `before` is the cursor of the page before."""
        self._meter.count("memory_operations_total", operation="list")
        held = await self._residents.get(scope, minimum_version)
        if held is None:
            memories, total = await self._store.page(scope, filters, before, offset, limit, ascending=ascending)
            state = await self._store.state(scope)
            cursor = memories[-1].id if len(memories) == limit else None
            return Page(memories, total, cursor, state.version)
        rows = np.flatnonzero(matching(held, filters))
        ordered = sorted(
            zip(held.created_at[rows].tolist(), held.ids(rows.tolist()), rows.tolist(), strict=True),
            reverse=not ascending,
        )
        start = offset
        if before is not None:
            # The memory that the cursor names may be gone by now; its id still tells where it stood.
            start += sum(one <= before if ascending else one >= before for _, one, _ in ordered)
        chosen = ordered[start : start + limit]
        cursor = chosen[-1][1] if chosen and start + limit < len(ordered) else None
        return Page([held.memory(row) for _, _, row in chosen], len(ordered), cursor, held.version)

    async def search(self, scope: Scope, request: SearchRequest, minimum_version: int | None = None) -> Found:
        """Find what answers a query, best first, or nothing if nothing is good enough."""
        found = await self.find(scope, request, self._clock.now(), minimum_version)
        self.shown(scope, request, [hit.memory.id for hit in found.hits])
        return found

    def shown(self, scope: Scope, request: SearchRequest, memory_ids: Sequence[UUID]) -> None:
        """Note what a search showed: later uses and judgements tell whether it was right."""
        self._meter.count("memory_operations_total", operation="search")
        self._meter.count("memories_queried_total", len(memory_ids))
        if request.query.startswith(SESSION_PREFIX):
            return
        self._ranking_weights.searched(scope, request.query, memory_ids)
        self._outcomes.record_search(scope, memory_ids)
        if request.learning_mode:
            self._uses.record(scope, memory_ids, AccessKind.RECALL)

    async def find(
        self, scope: Scope, request: SearchRequest, at: datetime, minimum_version: int | None = None
    ) -> Found:
        """Search as of a time, and note nothing."""
        check_text(request.query, "query", MAXIMUM_QUERY_LENGTH)
        with timed(self._meter, self._clock, "search_duration_seconds"):
            return await self._find(scope, request, at, minimum_version)

    async def _find(self, scope: Scope, request: SearchRequest, at: datetime, minimum_version: int | None) -> Found:
        if request.query.startswith(SESSION_PREFIX):
            return await self._session(scope, request, minimum_version)
        held, ranking, method = await self.ranked(scope, request, at, minimum_version)
        hits = [_hit(held, ranking, place, request, at) for place in range(len(ranking.rows))]
        return Found(hits, method, held.version, not hits and ranking.considered > 0, ranking.best_score)

    async def ranked(
        self,
        scope: Scope,
        request: SearchRequest,
        at: datetime,
        minimum_version: int | None = None,
        relevance: Calibration | None = None,
    ) -> tuple[WorkingSet, Ranking, str]:
        """Give the ranking of a request, the working set that its rows are of, and how candidates were found.

        `relevance` judges the evidence; None takes that of searches. Nothing is recorded.
        """
        vector = await self.vector(scope, request.query)
        held = await self._residents.get(scope, minimum_version)
        weights = await self._ranking_weights.of(scope) if held is not None and request.adaptive_weights else None
        if held is None:
            held = await self._candidates(scope, request, vector)
        query = Query.of(request.query, vector)
        ranking = await self._rank(held, query, request, at, weights, relevance)
        return held, ranking, WORDS_ALONE if vector is None else WORDS_AND_VECTORS

    async def _rank(
        self,
        held: WorkingSet,
        query: Query,
        request: SearchRequest,
        at: datetime,
        weights: NDArray[np.float32] | None,
        relevance: Calibration | None,
    ) -> Ranking:
        options = RankingOptions(
            limit=request.limit,
            minimum_score=request.min_score,
            minimum_helpfulness=request.minimum_helpfulness,
            minimum_similarity=request.minimum_similarity,
            own_evidence=request.own_evidence,
            weight_by_usage=request.weight_by_usage,
            decay_old_memories=request.decay_old_memories,
            explain=request.explain,
            weights=weights,
        )
        prior = self._prior
        if relevance is not None:
            prior = msgspec.structs.replace(prior, relevance=relevance)
        now = at.timestamp()
        if held.size <= LARGEST_INLINE:
            return rank(held, query, matching(held, request.filters), now, options, prior)
        loop = asyncio.get_running_loop()
        while True:
            frozen = held.frozen()
            work = partial(rank, frozen, query, matching(frozen, request.filters), now, options, prior)
            ranking = await loop.run_in_executor(self._executor, work)
            if held.still_holds(frozen, ranking.rows):
                return ranking

    async def _candidates(self, scope: Scope, request: SearchRequest, vector: Vector | None) -> WorkingSet:
        snapshot = await self._store.candidates(
            scope, self._embedder.space, vector, request.query, request.filters, CANDIDATES
        )
        held = WorkingSet(scope, self._embedder.space, self._embedder.dimensions)
        held.apply(snapshot)
        return held

    async def _session(self, scope: Scope, request: SearchRequest, minimum_version: int | None) -> Found:
        """Give a session's latest memories in the order in which they happened, as chat histories ask for them."""
        filters = replace(request.filters, session_id=request.query.removeprefix(SESSION_PREFIX).strip())
        held = await self._residents.get(scope, minimum_version)
        if held is None:
            memories, _ = await self._store.page(scope, filters, None, 0, request.limit)
            version = (await self._store.state(scope)).version
            memories.reverse()
        else:
            rows = np.flatnonzero(matching(held, filters))
            rows = rows[np.lexsort((rows, held.occurred_at[rows]))][-request.limit :]
            memories = [held.memory(row) for row in rows.tolist()]
            version = held.version
        hits = [Hit(memory, 1.0, 1.0, None) for memory in memories]
        return Found(hits, "session", version, abstained=False, best_score=None)

    async def vector(self, scope: Scope, text: str) -> Vector | None:
        """Embed a query, or give None if that cannot be had now: words alone answer then."""
        return await self._query_vectors.of(scope, text)

    def _uses_allowed(self, context: str | None) -> None:
        if context is not None:
            check_text(context, "context", MAXIMUM_QUERY_LENGTH)


def _hit(held: WorkingSet, ranking: Ranking, place: int, request: SearchRequest, at: datetime) -> Hit:
    memory = held.memory(int(ranking.rows[place]))
    unused_for = (at - (memory.last_accessed or memory.created_at)).total_seconds()
    return Hit(
        memory=memory,
        score=float(ranking.scores[place]),
        base_score=float(ranking.base_scores[place]),
        similarity=None if ranking.similarities is None else float(ranking.similarities[place]),
        usage_boost=float(ranking.usage_boosts[place]),
        helpfulness_boost=float(ranking.helpfulness_boosts[place]),
        recency_boost=float(ranking.recency_boosts[place]),
        boosted_by_usage=request.weight_by_usage and memory.usage_count > FREQUENT_USE,
        boosted_by_recency=request.decay_old_memories and unused_for <= RECENT_SECONDS,
        penalized_by_age=request.decay_old_memories and unused_for >= OLD_SECONDS,
        explanation=ranking.explanations[place] if request.explain else None,
    )
