"""The composition root: the only place that knows everything."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING

from pronoia.adapters.embedding.openai_compatible import OpenAICompatibleEmbedder
from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.change_feed import PostgresChangeFeed
from pronoia.adapters.postgres.contribution_store import PostgresContributionStore
from pronoia.adapters.postgres.insight_store import PostgresInsightStore, PostgresScheduleStore
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.limit_store import PostgresLimitStore
from pronoia.adapters.postgres.maintenance_store import PostgresMaintenanceStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.ranking_store import PostgresRankingStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.adapters.redis.limit_store import RedisLimitStore
from pronoia.adapters.telemetry.meter import PrometheusMeter
from pronoia.config import read_settings, zone_of
from pronoia.faces.http.application import create_http_app
from pronoia.faces.http.lifespan import Lifespan
from pronoia.memory.residents import Residents
from pronoia.recall.prior import shipped_prior
from pronoia.resilience.clock import SystemClock
from pronoia.services.analysis import Analysis
from pronoia.services.background import Background
from pronoia.services.changes import Changes
from pronoia.services.context import Context
from pronoia.services.health import Health
from pronoia.services.insights import Insights
from pronoia.services.keys import Keys
from pronoia.services.maintenance import Maintenance
from pronoia.services.memories import Memories
from pronoia.services.outcomes import Outcomes
from pronoia.services.prediction_learning import PredictionLearning, utc_offset
from pronoia.services.predictions import Predictions
from pronoia.services.ranking_weights import RankingWeights
from pronoia.services.rate_limiter import STORE_SECONDS, RateLimiter
from pronoia.services.rate_limits import NO_LIMITS, Limits, RateLimits
from pronoia.services.recall import Recall
from pronoia.services.relationships import Relationships
from pronoia.services.schedule import Job, Schedule
from pronoia.services.services import Services
from pronoia.services.suggest import Suggest
from pronoia.services.uses import Uses

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from concurrent.futures import Executor

    from litestar.types import ASGIApp

    from pronoia.config import Settings
    from pronoia.ports import Clock, Embedder
    from pronoia.recall.prior import Prior

LIMIT_CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the use cases share."""

    settings: Settings
    database: Database
    embedder: Embedder
    executor: ThreadPoolExecutor
    clock: Clock
    store: PostgresMemoryStore
    residents: Residents
    changes: Changes
    insight_store: PostgresInsightStore
    outcomes: Outcomes
    learning: PredictionLearning
    uses: Uses
    ranking_weights: RankingWeights
    recall: Recall
    meter: PrometheusMeter
    limit_store: PostgresLimitStore | RedisLimitStore


@asynccontextmanager
async def open_services(
    settings: Settings, clock: Clock | None = None, prior: Prior | None = None
) -> AsyncGenerator[Services]:
    """Open everything a migrated database needs, and close it in the reverse order; what is pending is written.

    `prior` is what ranking starts from before it has seen a user; None takes the shipped one.
    """
    database = await _open_database(settings)
    limit_store = await _limit_store(settings)
    parts = _parts(settings, database, limit_store, clock or SystemClock(), prior or shipped_prior())
    services = _services(parts)
    try:
        async with _running(*_loops(parts, services)):
            yield services
    finally:
        await parts.uses.flush()
        await parts.learning.save()
        await parts.outcomes.flush()
        await parts.ranking_weights.close()
        parts.executor.shutdown(wait=False, cancel_futures=True)
        await parts.embedder.close()
        await parts.limit_store.close()
        await parts.database.close()


def _parts(
    settings: Settings,
    database: Database,
    limit_store: PostgresLimitStore | RedisLimitStore,
    clock: Clock,
    prior: Prior,
) -> _Parts:
    embedder = _embedder(settings)
    executor = ThreadPoolExecutor(2, thread_name_prefix="ranking")
    store = PostgresMemoryStore(database, resident_limit=settings.resident_limit)
    residents = _residents(settings, store, embedder)
    changes = Changes(feed=_change_feed(settings, database), residents=residents)
    insight_store = PostgresInsightStore(database)
    outcomes = Outcomes(store=insight_store, clock=clock)
    learning = PredictionLearning(
        store=PostgresContributionStore(database),
        residents=residents,
        clock=clock,
        utc_offset=partial(utc_offset, zone_of(settings.time_zone)),
    )
    uses = Uses(
        access_log=PostgresAccessLog(database),
        residents=residents,
        changes=changes,
        clock=clock,
        listeners=(outcomes, learning),
    )
    ranking_weights = _ranking_weights(database, embedder, residents, clock, executor, prior)
    recall = Recall(
        store=store,
        embedder=embedder,
        residents=residents,
        uses=uses,
        outcomes=outcomes,
        ranking_weights=ranking_weights,
        clock=clock,
        executor=executor,
        prior=prior,
    )
    return _Parts(
        settings,
        database,
        embedder,
        executor,
        clock,
        store,
        residents,
        changes,
        insight_store,
        outcomes,
        learning,
        uses,
        ranking_weights,
        recall,
        PrometheusMeter(),
        limit_store,
    )


def _services(parts: _Parts) -> Services:
    settings, clock, residents, changes = parts.settings, parts.clock, parts.residents, parts.changes
    insights = Insights(
        store=parts.insight_store,
        residents=residents,
        clock=clock,
        executor=parts.executor,
        zone=zone_of(settings.time_zone),
    )
    relationships = Relationships(store=parts.store, residents=residents, changes=changes, clock=clock)
    return Services(
        memories=Memories(
            store=parts.store,
            embedder=parts.embedder,
            residents=residents,
            changes=changes,
            uses=parts.uses,
            outcomes=parts.outcomes,
            learning=parts.learning,
            ranking_weights=parts.ranking_weights,
            clock=clock,
            maximum_text_length=settings.maximum_text_length,
        ),
        recall=parts.recall,
        predictions=Predictions(
            recall=parts.recall, residents=residents, learning=parts.learning, outcomes=parts.outcomes, clock=clock
        ),
        context=Context(recall=parts.recall),
        suggest=Suggest(
            recall=parts.recall,
            residents=residents,
            uses=parts.uses,
            outcomes=parts.outcomes,
            clock=clock,
            draw=SystemRandom().random,
        ),
        relationships=relationships,
        ranking_weights=parts.ranking_weights,
        insights=insights,
        analysis=Analysis(insights=insights, relationships=relationships, store=parts.insight_store, clock=clock),
        maintenance=Maintenance(
            store=PostgresMaintenanceStore(parts.database, resident_limit=settings.resident_limit),
            residents=residents,
            changes=changes,
            clock=clock,
            executor=parts.executor,
        ),
        keys=Keys(store=PostgresKeyStore(parts.database), clock=clock),
        limits=_rate_limits(parts),
        health=Health(database=parts.database, clock=clock),
    )


def _loops(parts: _Parts, services: Services) -> list[Coroutine[None, None, None]]:
    """Give what runs beside the requests."""
    background = Background(
        store=parts.store,
        queue=PostgresWorkQueue(parts.database),
        embedder=parts.embedder,
        residents=parts.residents,
        changes=parts.changes,
        clock=parts.clock,
        executor=parts.executor,
    )
    loops: list[Coroutine[None, None, None]] = [
        parts.uses.run(),
        parts.changes.announce(),
        parts.changes.listen(),
        background.run(),
        parts.learning.run(),
        parts.outcomes.run(),
        services.maintenance.run(),
        parts.ranking_weights.run(),
        parts.ranking_weights.count(),
    ]
    if isinstance(parts.limit_store, PostgresLimitStore):
        loops.append(parts.limit_store.run())
    if parts.settings.learning_schedule:
        loops.append(_schedule(parts, services).run())
    return loops


def _schedule(parts: _Parts, services: Services) -> Schedule:
    jobs = [
        Job("patterns", 3_600.0, partial(services.analysis.analyse, apply=parts.settings.learning_auto_apply)),
        Job("metrics", 86_400.0, services.insights.keep_measures),
    ]
    if parts.settings.learning_auto_apply:
        jobs.append(Job("maintenance", 21_600.0, services.maintenance.mend))
    return Schedule(
        store=PostgresScheduleStore(parts.database), insights=parts.insight_store, jobs=jobs, clock=parts.clock.now
    )


@asynccontextmanager
async def _running(*loops: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    """Run loops beside what is done meanwhile."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def create() -> ASGIApp:
    """Make the server's application from the environment; each worker process calls it once."""
    settings = read_settings()

    @asynccontextmanager
    async def open_application() -> AsyncGenerator[ASGIApp]:
        async with open_services(settings) as services:
            yield create_http_app(services, settings)

    return Lifespan(open_application)


async def _open_database(settings: Settings) -> Database:
    return await Database.open(
        settings.database_url,
        connections=settings.database_connections,
        timeout_seconds=settings.database_timeout_seconds,
        pooler=settings.database_pooler,
    )


async def _limit_store(settings: Settings) -> PostgresLimitStore | RedisLimitStore:
    """Open the store that limits share; on PostgreSQL with connections of its own."""
    if settings.cache_url:
        return RedisLimitStore(settings.cache_url, timeout_seconds=STORE_SECONDS)
    database = await Database.open(
        settings.database_url,
        connections=LIMIT_CONNECTIONS,
        timeout_seconds=settings.database_timeout_seconds,
        pooler=settings.database_pooler,
    )
    return PostgresLimitStore(database)


def _rate_limits(parts: _Parts) -> RateLimits:
    settings = parts.settings
    limits = Limits(
        instance=settings.global_rate_limit,
        organisation=settings.organisation_rate_limit,
        user=settings.user_rate_limit,
        expensive=settings.expensive_rate_limit,
        learning=settings.learning_rate_limit,
        address=settings.anonymous_rate_limit,
        burst=settings.burst_limit,
    )
    limiter = RateLimiter(store=parts.limit_store, clock=parts.clock, meter=parts.meter, load=lambda: 0.0)
    return RateLimits(limiter=limiter, limits=limits if settings.rate_limit_enabled else NO_LIMITS)


def _change_feed(settings: Settings, database: Database) -> PostgresChangeFeed:
    return PostgresChangeFeed(
        database,
        direct_url=settings.database_direct_url or settings.database_url,
        timeout_seconds=settings.database_timeout_seconds,
    )


def _residents(settings: Settings, store: PostgresMemoryStore, embedder: Embedder) -> Residents:
    return Residents(
        store,
        space=embedder.space,
        dimensions=embedder.dimensions,
        budget_bytes=settings.working_set_bytes,
        resident_limit=settings.resident_limit,
    )


def _ranking_weights(
    database: Database, embedder: Embedder, residents: Residents, clock: Clock, executor: Executor, prior: Prior
) -> RankingWeights:
    return RankingWeights(
        store=PostgresRankingStore(database),
        embedder=embedder,
        residents=residents,
        clock=clock,
        executor=executor,
        prior=prior,
    )


def _embedder(settings: Settings) -> Embedder:
    if not settings.embedding_url:
        return StaticEmbedder()
    return OpenAICompatibleEmbedder(
        url=settings.embedding_url,
        model=settings.embedding_model,
        key=settings.embedding_key,
        dimensions=settings.embedding_dimensions,
        timeout_seconds=settings.embedding_timeout_seconds,
    )
