"""Ranking weights of each user, learned from judgements and use; served only while they help."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import structlog

from pronoia.domain.errors import PronoiaError, StoreUnavailableError
from pronoia.domain.identifiers import new_id, with_digest
from pronoia.learning.ranking_learner import RankingLearner
from pronoia.ports.learning_stores import RankingExample, RankingState
from pronoia.recall.signals import SIGNALS
from pronoia.resilience.deadline import without_deadline
from pronoia.services.ranking_examples import by_query, to_outcome
from pronoia.services.recent_searches import RecentSearches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor
    from datetime import datetime
    from uuid import UUID

    from numpy.typing import NDArray

    from pronoia.domain.identifiers import Scope
    from pronoia.memory.residents import Residents
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.ports.embedder import Embedder
    from pronoia.ports.learning_stores import RankingStore
    from pronoia.ports.telemetry import Meter
    from pronoia.recall.prior import Prior

LAYOUT = ",".join(SIGNALS)
STRENGTH_OF_FEEDBACK = 1.0
STRENGTH_OF_USE = 0.3
"""Fetching what was found says less than judging it."""
EXAMPLES_OF_A_USER = 500
MAXIMUM_WAITING = 10_000
MAXIMUM_SERVED = 20_000
"""Users whose weights are held, about 300 bytes each."""
MAXIMUM_LEARNING = 32
"""Users whose examples are held measured, up to 2 MB each; others are measured again when they judge again."""
REFRESH_SECONDS = 30.0
"""How late another process may see what was learned."""
ORGANISATION_PRIOR = 5.0
"""Users' weights that the shipped prior counts for in those of an organisation."""
COUNT_SECONDS = 5.0
PAUSE_SECONDS = 1.0
AVERAGE_SATISFACTION = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LearningParameters:
    """What a user taught the ranker, in the four classic weights, each in [0, 1].

    A classic weight is the share of its signal of use beside what content weighs: use / (use + |content weights|).
    """

    usage_weight: float
    recency_weight: float
    helpfulness_weight: float
    relationship_weight: float
    personalised: bool
    """Whether the user's own weights are served."""
    total_searches: int
    positive_feedback_count: int
    negative_feedback_count: int
    avg_search_satisfaction: float
    last_weight_update: datetime | None


@dataclass(slots=True)
class _Served:
    weights: NDArray[np.float32] | None
    read_at: float
    fitted_at: datetime | None


@dataclass(slots=True)
class _Learning:
    learner: RankingLearner
    examples: list[RankingExample]
    saved: bool | None = None
    """Whether the weights were served when they were saved last."""


class RankingWeights:
    """Serves weights from memory; learns behind the requests, one judgement after another."""

    def __init__(
        self,
        *,
        store: RankingStore,
        embedder: Embedder,
        residents: Residents,
        clock: Clock,
        meter: Meter,
        executor: Executor,
        prior: Prior,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._residents = residents
        self._clock = clock
        self._meter = meter
        self._executor = executor
        self._prior = prior
        self._prior_weights = prior.weight_array()
        self._searches = RecentSearches(clock)
        self._search_counts: Counter[Scope] = Counter()
        self._served: OrderedDict[Scope, _Served] = OrderedDict()
        self._learning: OrderedDict[Scope, _Learning] = OrderedDict()
        self._waiting: asyncio.Queue[tuple[Scope, RankingExample | None]] = asyncio.Queue(MAXIMUM_WAITING)
        self._refreshing: set[asyncio.Task[NDArray[np.float32] | None]] = set()
        self._changes = 0
        """Counts what was saved and forgotten: what was read before is then not kept."""

    async def of(self, scope: Scope) -> NDArray[np.float32] | None:
        """Give a user's weights in the order of SIGNALS, or None where the prior serves better."""
        served = self._served.get(scope)
        if served is None:
            return await self._read(scope)
        self._served.move_to_end(scope)
        now = self._clock.monotonic()
        if now - served.read_at >= REFRESH_SECONDS:
            served.read_at = now
            task = asyncio.create_task(self._read(scope), context=without_deadline())
            self._refreshing.add(task)
            task.add_done_callback(self._refreshing.discard)
        return served.weights

    async def mark(self, scope: Scope) -> str:
        """Name what was fitted for a user; it changes when that does."""
        await self.of(scope)
        served = self._served.get(scope)
        if served is None:
            return ""
        weights = "" if served.weights is None else np.asarray(served.weights, dtype=np.float32).tobytes().hex()
        return f"{served.fitted_at} {weights}"

    def searched(self, scope: Scope, query: str, shown: Sequence[UUID]) -> None:
        """Note what a search showed."""
        self._searches.note(scope, query, shown)
        self._search_counts[scope] += 1

    def suggested(self, scope: Scope, context: str, shown: Sequence[UUID]) -> None:
        """Note what was suggested: using or judging it teaches as much as if it had been searched for."""
        if shown:
            self._searches.note(scope, context, shown)

    def used(self, scope: Scope, memory_id: UUID) -> None:
        """Learn from a memory that was fetched just after a search showed it."""
        search = self._searches.that_showed(scope, memory_id)
        if search is not None and memory_id not in search.used:
            search.used.add(memory_id)
            self._learn(scope, search.query, memory_id, search.shown, helpful=True, strength=STRENGTH_OF_USE)

    def judged(self, scope: Scope, memory_id: UUID, context: str | None, *, helpful: bool) -> None:
        """Learn from a judgement: on the search that the context repeats, or else on the newest that showed it.

        A context that was not searched for lately is taken as the query that the memory was judged by.
        """
        search = self._searches.that_asked(scope, context) if context else None
        search = search or self._searches.that_showed(scope, memory_id)
        query = context or (search.query if search else None)
        if query is None:
            return
        shown = search.shown if search is not None and search.query == query else ()
        self._learn(scope, query, memory_id, shown, helpful=helpful, strength=STRENGTH_OF_FEEDBACK)

    def forgot(self, scope: Scope, memory_id: UUID | None = None) -> None:
        """Drop what was learned from a memory that was just deleted, or from all of a user's."""
        self._searches.forget(scope, memory_id)
        learning = self._learning.get(scope)
        if memory_id is not None and learning is not None and not _involves(learning.examples, memory_id):
            return
        if memory_id is None:
            self._search_counts.pop(scope, None)
        self.changed(scope)

    def changed(self, scope: Scope) -> None:
        """Look again at which examples there are to learn from."""
        self._changes += 1
        self._learning.pop(scope, None)
        self._served.pop(scope, None)

    def forgotten(self, digest: bytes) -> None:
        """Drop all of a user whom another process forgot."""
        for scope in with_digest({*self._served, *self._learning, *self._searches.users()}, digest):
            self.forgot(scope)

    async def parameters(self, scope: Scope) -> LearningParameters:
        """Give what there is to report about a user's weights."""
        state = await self._store.state(scope)
        feedback = await self._store.feedback(scope)
        personalised = state.served and state.layout == LAYOUT
        classic = self._project(np.array(state.weights) if personalised else None)
        return LearningParameters(
            usage_weight=classic["usage"],
            recency_weight=classic["recency"],
            helpfulness_weight=classic["helpfulness"],
            relationship_weight=classic["relationship"],
            personalised=personalised,
            total_searches=state.searches + self._search_counts[scope],
            positive_feedback_count=feedback.positive,
            negative_feedback_count=feedback.negative,
            avg_search_satisfaction=AVERAGE_SATISFACTION if feedback.satisfaction is None else feedback.satisfaction,
            last_weight_update=state.fitted_at,
        )

    async def classic(self, scope: Scope) -> dict[str, float]:
        """Give the four classic weights of what ranks for a user now; see LearningParameters."""
        return self._project(await self.of(scope))

    @property
    def pending(self) -> int:
        """Count the judgements that are not learned from yet."""
        return self._waiting.qsize()

    async def settled(self) -> None:
        """Wait until everything that was judged before is learned from."""
        await self._waiting.join()

    async def run(self) -> None:
        """Learn until cancelled."""
        while True:
            scope, example = await self._waiting.get()
            try:
                await self._take_in(scope, example)
            except PronoiaError as error:
                # What is stored is learned from when the user judges again.
                self._learning.pop(scope, None)
                log.warning("ranking_weights.postponed", reason=error.message)
            finally:
                self._waiting.task_done()

    async def count(self) -> None:
        """Write how often users searched until cancelled."""
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            try:
                await self.flush()
            except StoreUnavailableError as error:
                log.warning("searches.waiting", users=len(self._search_counts), reason=error.message)

    async def close(self) -> None:
        """Store what is still to be learned from, and the counts; what `run` was at is lost."""
        while not self._waiting.empty():
            scope, example = self._waiting.get_nowait()
            if example is not None:
                await self._store.add(scope, example, EXAMPLES_OF_A_USER)
        await self.flush()

    async def flush(self) -> None:
        """Write how often users searched. On failure the counts stay."""
        counts = dict(self._search_counts)
        if counts:
            await self._store.count_searches(counts)
            self._search_counts.subtract(counts)
            self._search_counts = +self._search_counts

    def _project(self, weights: NDArray[np.floating] | None) -> dict[str, float]:
        content = float(np.linalg.norm(self._prior_weights if weights is None else weights))
        use = self._prior.use
        return {
            name: round(weight / (weight + content), 4)
            for name, weight in (
                ("usage", use.usage),
                ("recency", use.recency),
                ("helpfulness", use.helpfulness),
                ("relationship", use.relationship),
            )
        }

    def _learn(
        self, scope: Scope, query: str, memory_id: UUID, shown: tuple[UUID, ...], *, helpful: bool, strength: float
    ) -> None:
        example = RankingExample(new_id(self._clock.now()), query, memory_id, shown, helpful, strength)
        self._queue(scope, example)

    def _queue(self, scope: Scope, example: RankingExample | None) -> None:
        try:
            self._waiting.put_nowait((scope, example))
        except asyncio.QueueFull:
            log.warning("ranking_weights.dropped", waiting=MAXIMUM_WAITING)

    async def _read(self, scope: Scope) -> NDArray[np.float32] | None:
        changes = self._changes
        try:
            state = await self._store.state(scope)
        except StoreUnavailableError as error:
            log.warning("ranking_weights.unknown", reason=error.message)
            return None
        fitted = state.layout == LAYOUT
        weights = np.array(state.weights, dtype=np.float32) if fitted and state.served else None
        if changes == self._changes:
            self._serve(scope, weights, state.fitted_at)
            if state.examples and not fitted and scope not in self._learning:
                self._queue(scope, None)
        return weights

    def _serve(self, scope: Scope, weights: NDArray[np.float32] | None, fitted_at: datetime | None) -> None:
        self._served[scope] = _Served(weights, self._clock.monotonic(), fitted_at)
        self._served.move_to_end(scope)
        if len(self._served) > MAXIMUM_SERVED:
            self._served.popitem(last=False)

    async def _take_in(self, scope: Scope, example: RankingExample | None) -> None:
        """Store an example and learn from it; without one, learn from those that are stored."""
        held = await self._residents.get(scope)
        if held is None:
            return
        before = None
        if example is not None:
            before = await self._keep(scope, example)
            if before is None:
                return
        learning = self._learning.get(scope)
        if learning is None or example is None or before != len(learning.examples):
            learning = _Learning(await self._new_learner(scope), await self._store.examples(scope))
            self._learning[scope] = learning
            queries = by_query(learning.examples)
        else:
            queries = _appended(learning, example)
        self._learning.move_to_end(scope)
        if len(self._learning) > MAXIMUM_LEARNING:
            self._learning.popitem(last=False)
        fitted = await self._learn_from(held, learning.learner, queries)
        if fitted or learning.learner.helps is not learning.saved:
            await self._save(scope, learning)

    async def _keep(self, scope: Scope, example: RankingExample) -> int | None:
        while True:
            try:
                return await self._store.add(scope, example, EXAMPLES_OF_A_USER)
            except StoreUnavailableError as error:
                log.warning("ranking_weights.waiting", waiting=self._waiting.qsize(), reason=error.message)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _new_learner(self, scope: Scope) -> RankingLearner:
        users, mean = await self._store.organisation_weights(scope, LAYOUT)
        towards = self._prior_weights.astype(np.float64)
        if users:
            towards = (ORGANISATION_PRIOR * towards + users * np.array(mean)) / (ORGANISATION_PRIOR + users)
        return RankingLearner(self._prior_weights, towards)

    async def _learn_from(
        self, held: WorkingSet, learner: RankingLearner, queries: dict[str, list[RankingExample]]
    ) -> bool:
        """Measure and fit beside the event loop; a query takes about a millisecond."""
        vectors = await self._embedder.embed(list(queries))
        held = held.frozen()

        def learn() -> bool:
            fitted = False
            for (query, examples), vector in zip(queries.items(), vectors, strict=True):
                outcome = to_outcome(held, vector, examples, self._prior_weights)
                if outcome is not None:
                    fitted |= learner.learn(query, outcome)
            return fitted

        return await asyncio.get_running_loop().run_in_executor(self._executor, learn)

    async def _save(self, scope: Scope, learning: _Learning) -> None:
        weights = learning.learner.weights
        if weights is None:
            return
        served = learning.learner.helps
        state = RankingState(LAYOUT, tuple(weights.tolist()), served, self._clock.now())
        if not await self._store.save(scope, state, [example.id for example in learning.examples]):
            self._learning.pop(scope, None)
            self._queue(scope, None)
            return
        learning.saved = served
        self._meter.count("user_weight_adjustments_total")
        self._changes += 1
        self._serve(scope, weights if served else None, state.fitted_at)


def _appended(learning: _Learning, example: RankingExample) -> dict[str, list[RankingExample]]:
    """Append an example, let go of the oldest beyond the limit, and give the queries that changed."""
    examples = [*learning.examples, example]
    learning.examples = examples[-EXAMPLES_OF_A_USER:]
    kept = by_query(learning.examples)
    changed = {one.query for one in examples[:-EXAMPLES_OF_A_USER]} | {example.query}
    for query in changed - kept.keys():
        learning.learner.forget(query)
    return {query: kept[query] for query in changed & kept.keys()}


def _involves(examples: Sequence[RankingExample], memory_id: UUID) -> bool:
    return any(memory_id == example.memory_id or memory_id in example.shown for example in examples)
