"""The composition root: the only place that knows everything. It is long because all of it is wired here."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from pronoia.adapters.alerting.alertmanager import Alertmanager
from pronoia.adapters.alerting.pagerduty import PagerDuty
from pronoia.adapters.alerting.slack import Slack
from pronoia.adapters.cache.local import LocalTier
from pronoia.adapters.compute import ComputeExecutor
from pronoia.adapters.embedding.openai_compatible import (
    CONCURRENT_REQUESTS,
    QUEUED_REQUESTS,
    OpenAICompatibleEmbedder,
)
from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.cache_tier import PostgresCacheTier
from pronoia.adapters.postgres.change_feed import PostgresChangeFeed
from pronoia.adapters.postgres.contribution_store import PostgresContributionStore
from pronoia.adapters.postgres.insight_store import PostgresInsightStore, PostgresScheduleStore
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.limit_store import PostgresLimitStore
from pronoia.adapters.postgres.maintenance_store import PostgresMaintenanceStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.monitoring_store import PostgresMonitoringStore
from pronoia.adapters.postgres.ranking_store import PostgresRankingStore
from pronoia.adapters.postgres.totals_store import PostgresTotalsStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.adapters.process_memory import allowed_bytes, resident_bytes
from pronoia.adapters.telemetry.embedder import MeasuredEmbedder
from pronoia.adapters.telemetry.logs import configure_logs
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.adapters.telemetry.process import ProcessWatch
from pronoia.config import read_settings, zone_of
from pronoia.faces.http.application import create_http_app
from pronoia.faces.http.lifespan import Lifespan
from pronoia.faces.http.routes.health import VERSION
from pronoia.faces.http.routes.maintenance import give_suggestions
from pronoia.memory.excerpts import Excerpts
from pronoia.memory.residents import Residents
from pronoia.recall.prior import shipped_prior
from pronoia.resilience import policies
from pronoia.resilience.clock import SystemClock
from pronoia.resilience.concurrency import LimitPolicy
from pronoia.services.analysis import Analysis
from pronoia.services.answers import Answers
from pronoia.services.background import Background
from pronoia.services.caches import Caches
from pronoia.services.changes import Changes
from pronoia.services.context import Context
from pronoia.services.gauges import Gauges
from pronoia.services.health import Health
from pronoia.services.insights import Insights
from pronoia.services.keys import Keys
from pronoia.services.maintenance import Maintenance
from pronoia.services.memories import Memories
from pronoia.services.monitoring.loops import Loops
from pronoia.services.monitoring.monitoring import Monitoring
from pronoia.services.monitoring.parts import parts as parts_of_server
from pronoia.services.monitoring.readings import Readings
from pronoia.services.outcomes import Outcomes
from pronoia.services.prediction_learning import PredictionLearning, utc_offset
from pronoia.services.predictions import Predictions
from pronoia.services.query_vectors import QueryVectors
from pronoia.services.ranking_weights import RankingWeights
from pronoia.services.rate_limiter import STORE_SECONDS, RateLimiter
from pronoia.services.rate_limits import NO_LIMITS, Limits, RateLimits
from pronoia.services.recall import Recall
from pronoia.services.relationships import Relationships
from pronoia.services.resilience import POOL, Resilience
from pronoia.services.schedule import Job, Schedule
from pronoia.services.services import Services
from pronoia.services.suggest import Suggest
from pronoia.services.uses import Uses

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from concurrent.futures import Executor

    from litestar.types import ASGIApp

    from pronoia.adapters.redis.limit_store import RedisLimitStore
    from pronoia.config import Settings
    from pronoia.domain.identifiers import Scope
    from pronoia.ports.cache_tier import CacheTier
    from pronoia.ports.clock import Clock
    from pronoia.ports.embedder import Embedder
    from pronoia.ports.monitoring import AlertReceiver
    from pronoia.ports.telemetry import Meter, Telemetry
    from pronoia.recall.prior import Prior

LIMIT_CONNECTIONS = 2


COMPUTE_THREADS = 5
COMPUTE_QUEUE = 20
RESERVED_SHARE = 10
"""One connection in so many is kept for health and authentication."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the use cases share."""

    settings: Settings
    telemetry: Telemetry
    resilience: Resilience
    readings: Readings
    database: Database
    embedder: Embedder
    executor: ComputeExecutor
    clock: Clock
    store: PostgresMemoryStore
    residents: Residents
    excerpts: Excerpts
    changes: Changes
    insight_store: PostgresInsightStore
    outcomes: Outcomes
    learning: PredictionLearning
    uses: Uses
    ranking_weights: RankingWeights
    recall: Recall
    caches: Caches
    answers: Answers
    limit_store: PostgresLimitStore | RedisLimitStore
    meter: Meter
    loops: Loops
    monitoring: Monitoring


@asynccontextmanager
async def open_services(
    settings: Settings, clock: Clock | None = None, prior: Prior | None = None, telemetry: Telemetry | None = None
) -> AsyncGenerator[Services]:
    """Open everything a migrated database needs, and close it in the reverse order; what is pending is written.

    `prior` is what ranking starts from before it has seen a user; None takes the shipped one.
    """
    clock, telemetry = clock or SystemClock(), telemetry or _telemetry(settings)
    readings = Readings(telemetry.meter)
    telemetry = replace(telemetry, meter=readings)
    resilience = _resilience(settings, clock, readings)
    database = await _open_database(settings, telemetry, resilience, connections=settings.database_connections)
    limit_store = await _open_limit_store(settings, telemetry, resilience)
    parts = _parts(settings, telemetry, resilience, readings, database, limit_store, clock, prior or shipped_prior())
    services = _services(parts)
    try:
        parts.loops.start(_loops(parts, services))
        yield services
    finally:
        await parts.loops.stop()
        await parts.monitoring.close()
        await parts.uses.flush()
        await parts.learning.save()
        await parts.outcomes.flush()
        await parts.ranking_weights.close()
        await parts.caches.close()
        parts.executor.shutdown(wait=False, cancel_futures=True)
        await parts.embedder.close()
        await parts.limit_store.close()
        await parts.database.close()
        await telemetry.tracing.close()


def _parts(
    settings: Settings,
    telemetry: Telemetry,
    resilience: Resilience,
    readings: Readings,
    database: Database,
    limit_store: PostgresLimitStore | RedisLimitStore,
    clock: Clock,
    prior: Prior,
) -> _Parts:
    embedder = MeasuredEmbedder(_embedder(settings, resilience), telemetry)
    executor = ComputeExecutor(
        concurrent=COMPUTE_THREADS, queue=COMPUTE_QUEUE, rejected=partial(resilience.rejected, "compute")
    )
    store = PostgresMemoryStore(database, resident_limit=settings.resident_limit)
    meter = telemetry.meter
    residents = _residents(settings, store, meter, embedder)
    local = _local_tier(settings, clock)
    tiers = [local, *_farther_tiers(settings, database, clock)][: settings.cache_tiers]
    caches = Caches(tiers=tiers, clock=clock, meter=meter, draw=SystemRandom().random)
    changes = Changes(feed=_change_feed(settings, database), residents=residents, others=[local])
    insight_store = PostgresInsightStore(database)
    outcomes = Outcomes(store=insight_store, clock=clock, meter=meter)
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
    ranking_weights = _ranking_weights(database, embedder, residents, clock, meter, executor, prior)
    recall = Recall(
        store=store,
        embedder=embedder,
        query_vectors=QueryVectors(embedder=embedder, caches=caches if settings.embedding_url else None),
        residents=residents,
        uses=uses,
        outcomes=outcomes,
        ranking_weights=ranking_weights,
        clock=clock,
        meter=meter,
        executor=executor,
        prior=prior,
    )
    answers = Answers(
        caches=caches,
        residents=residents,
        uses=uses,
        ranking_weights=ranking_weights,
        learning=learning,
        clock=clock,
        edition=f"{VERSION} {embedder.space} {settings.time_zone}",
    )
    loops = Loops()
    return _Parts(
        settings,
        telemetry,
        resilience,
        readings,
        database,
        embedder,
        executor,
        clock,
        store,
        residents,
        Excerpts(store, space=embedder.space, dimensions=embedder.dimensions),
        changes,
        insight_store,
        outcomes,
        learning,
        uses,
        ranking_weights,
        recall,
        caches,
        answers,
        limit_store,
        meter,
        loops,
        _monitoring(settings, database, embedder, caches, readings, loops, clock),
    )


def _services(parts: _Parts) -> Services:
    settings, clock, residents, changes = parts.settings, parts.clock, parts.residents, parts.changes
    excerpts = parts.excerpts
    meter = parts.telemetry.meter
    insights = Insights(
        store=parts.insight_store,
        residents=residents,
        excerpts=excerpts,
        clock=clock,
        executor=parts.executor,
        zone=zone_of(settings.time_zone),
    )
    relationships = Relationships(
        store=parts.store, residents=residents, excerpts=excerpts, changes=changes, clock=clock
    )
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
            answers=parts.answers,
            clock=clock,
            meter=meter,
            maximum_text_length=settings.maximum_text_length,
        ),
        recall=parts.recall,
        predictions=Predictions(
            recall=parts.recall,
            residents=residents,
            excerpts=excerpts,
            learning=parts.learning,
            outcomes=parts.outcomes,
            clock=clock,
            meter=meter,
        ),
        context=Context(recall=parts.recall),
        suggest=Suggest(
            recall=parts.recall,
            residents=residents,
            uses=parts.uses,
            outcomes=parts.outcomes,
            ranking_weights=parts.ranking_weights,
            clock=clock,
            meter=meter,
            draw=SystemRandom().random,
        ),
        relationships=relationships,
        ranking_weights=parts.ranking_weights,
        insights=insights,
        analysis=Analysis(
            insights=insights, relationships=relationships, store=parts.insight_store, clock=clock, meter=meter
        ),
        maintenance=Maintenance(
            store=PostgresMaintenanceStore(parts.database, resident_limit=settings.resident_limit),
            residents=residents,
            excerpts=excerpts,
            changes=changes,
            clock=clock,
            meter=meter,
            executor=parts.executor,
        ),
        keys=Keys(store=PostgresKeyStore(parts.database), clock=clock),
        limits=_rate_limits(parts),
        health=Health(database=parts.database, resilience=parts.resilience, clock=clock),
        resilience=parts.resilience,
        monitoring=parts.monitoring,
        answers=parts.answers,
        caches=parts.caches,
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
        meter=parts.telemetry.meter,
        executor=parts.executor,
    )
    gauges = Gauges(
        store=PostgresTotalsStore(parts.database),
        residents=parts.residents,
        uses=parts.uses,
        ranking_weights=parts.ranking_weights,
        clock=parts.clock,
        meter=parts.telemetry.meter,
    )
    loops: list[Coroutine[None, None, None]] = [
        parts.resilience.run(),
        parts.monitoring.watch.run(),
        ProcessWatch(parts.telemetry.meter).run(),
        gauges.run(),
        parts.uses.run(),
        parts.changes.announce(),
        parts.changes.listen(),
        background.run(),
        parts.learning.run(),
        parts.outcomes.run(),
        services.maintenance.run(),
        parts.ranking_weights.run(),
        parts.ranking_weights.count(),
        parts.caches.run(),
    ]
    if isinstance(parts.limit_store, PostgresLimitStore):
        loops.append(parts.limit_store.run())
    if parts.settings.learning_schedule:
        loops.append(_schedule(parts, services).run())
    return loops


def _schedule(parts: _Parts, services: Services) -> Schedule:
    return Schedule(
        store=PostgresScheduleStore(parts.database),
        insights=parts.insight_store,
        jobs=scheduled_jobs(parts.settings, services),
        clock=parts.clock.now,
    )


def scheduled_jobs(settings: Settings, services: Services) -> list[Job]:
    """Give what is done for users by the clock. Only learning_auto_apply lets it change their memory."""

    async def maintain(scope: Scope) -> None:
        if settings.learning_auto_apply:
            await services.maintenance.mend(scope)
        await give_suggestions(services, scope)

    return [
        Job("patterns", 3_600.0, partial(services.analysis.analyse, apply=settings.learning_auto_apply)),
        Job("metrics", 86_400.0, services.insights.keep_measures),
        Job("maintenance", 21_600.0, maintain),
    ]


def _monitoring(
    settings: Settings,
    database: Database,
    embedder: Embedder,
    caches: Caches,
    readings: Readings,
    loops: Loops,
    clock: Clock,
) -> Monitoring:
    return Monitoring(
        store=PostgresMonitoringStore(database),
        parts=parts_of_server(
            database=database,
            embedder=embedder,
            caches=caches,
            readings=readings,
            loops=loops,
            data=Path(settings.data),
        ),
        receivers=_receivers(settings, clock),
        readings=readings,
        clock=clock,
        pause_seconds=settings.alert_seconds,
    )


def _receivers(settings: Settings, clock: Clock) -> list[AlertReceiver]:
    receivers: list[AlertReceiver] = []
    if settings.alertmanager_url:
        receivers.append(Alertmanager(settings.alertmanager_url, clock))
    if settings.pagerduty_routing_key:
        receivers.append(PagerDuty(settings.pagerduty_url, settings.pagerduty_routing_key, socket.gethostname()))
    if settings.slack_webhook_url:
        receivers.append(Slack(settings.slack_webhook_url))
    return receivers


def create() -> ASGIApp:
    """Make the server's application from the environment; each worker process calls it once."""
    settings = read_settings()
    telemetry = _telemetry(settings)
    configure_logs(level=settings.log_level, as_json=settings.log_format == "json", meter=telemetry.meter)

    @asynccontextmanager
    async def open_application() -> AsyncGenerator[ASGIApp]:
        async with open_services(settings, telemetry=telemetry) as services:
            levels = services.monitoring.levels
            yield create_http_app(services, settings, telemetry=telemetry, observers=[levels.observe])

    return Lifespan(open_application)


def _telemetry(settings: Settings) -> Telemetry:
    return open_telemetry(metrics_folder=settings.metrics_folder, traces_url=settings.traces_url, version=VERSION)


def _resilience(settings: Settings, clock: Clock, meter: Meter) -> Resilience:
    allowed = settings.memory_limit_bytes or allowed_bytes()
    return Resilience(
        clock=clock,
        meter=meter,
        high=settings.degradation_high_load_threshold,
        critical=settings.degradation_critical_load_threshold,
        limit=LimitPolicy(maximum=settings.maximum_concurrency),
        memory=lambda: resident_bytes() / allowed,
    )


async def _open_database(
    settings: Settings, telemetry: Telemetry, resilience: Resilience, *, connections: int, name: str = POOL
) -> Database:
    timeout = settings.database_timeout_seconds
    return await Database.open(
        settings.database_url,
        connections=connections,
        timeout_seconds=timeout,
        pooler=settings.database_pooler,
        telemetry=telemetry,
        breaker=resilience.breaker(name, policies.DATABASE),
        bulkhead=resilience.bulkhead(
            name,
            concurrent=connections,
            queue=settings.database_queue,
            longest_wait_seconds=timeout,
            reserved=max(connections // RESERVED_SHARE, 1),
        ),
    )


async def _open_limit_store(
    settings: Settings, telemetry: Telemetry, resilience: Resilience
) -> PostgresLimitStore | RedisLimitStore:
    """Open what limits are shared in; on PostgreSQL with connections of its own, for none of ours to wait for."""
    if settings.cache_url:
        # Its package is an extra.
        from pronoia.adapters.redis.limit_store import RedisLimitStore  # noqa: PLC0415

        return RedisLimitStore(settings.cache_url, timeout_seconds=STORE_SECONDS)
    return PostgresLimitStore(
        await _open_database(settings, telemetry, resilience, connections=LIMIT_CONNECTIONS, name="limits")
    )


def _pressure(resilience: Resilience) -> float:
    """Give what the server is loaded with beyond a half: below it, everybody has the whole of their budgets.

    Memory does not count. Fewer requests do not free it.
    """
    busiest = max((value for signal, value in resilience.saturation().items() if signal != "memory"), default=0.0)
    return max(2 * busiest - 1, 0.0)


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
    load = partial(_pressure, parts.resilience)
    limiter = RateLimiter(store=parts.limit_store, clock=parts.clock, meter=parts.meter, load=load)
    return RateLimits(limiter=limiter, limits=limits if settings.rate_limit_enabled else NO_LIMITS)


def _change_feed(settings: Settings, database: Database) -> PostgresChangeFeed:
    return PostgresChangeFeed(
        database,
        direct_url=settings.database_direct_url or settings.database_url,
        timeout_seconds=settings.database_timeout_seconds,
    )


def _residents(settings: Settings, store: PostgresMemoryStore, meter: Meter, embedder: Embedder) -> Residents:
    return Residents(
        store,
        meter,
        space=embedder.space,
        dimensions=embedder.dimensions,
        budget_bytes=settings.working_set_bytes,
        resident_limit=settings.resident_limit,
    )


def _local_tier(settings: Settings, clock: Clock) -> LocalTier:
    return LocalTier(
        name="1", lifetime_seconds=300.0, maximum_keys=10_000, maximum_bytes=settings.cache_bytes, clock=clock
    )


def _farther_tiers(settings: Settings, database: Database, clock: Clock) -> list[CacheTier]:
    shared: CacheTier = PostgresCacheTier(
        database, name="2", shared=True, lifetime_seconds=600.0, clean_seconds=120.0, maximum_keys=5_000, clock=clock
    )
    if settings.cache_url:
        # Its package is an extra.
        from pronoia.adapters.cache.redis_tier import RedisTier  # noqa: PLC0415

        shared = RedisTier(
            settings.cache_url, name="2", lifetime_seconds=600.0, maximum_keys=5_000, timeout_seconds=1.0, clock=clock
        )
    kept = PostgresCacheTier(
        database, name="3", shared=False, lifetime_seconds=3_600.0, clean_seconds=3_600.0, maximum_keys=50_000,
        clock=clock,
    )  # fmt: skip
    return [shared, kept]


def _ranking_weights(
    database: Database,
    embedder: Embedder,
    residents: Residents,
    clock: Clock,
    meter: Meter,
    executor: Executor,
    prior: Prior,
) -> RankingWeights:
    return RankingWeights(
        store=PostgresRankingStore(database),
        embedder=embedder,
        residents=residents,
        clock=clock,
        meter=meter,
        executor=executor,
        prior=prior,
    )


def _embedder(settings: Settings, resilience: Resilience) -> Embedder:
    if not settings.embedding_url:
        return StaticEmbedder()
    timeout = settings.embedding_timeout_seconds
    return OpenAICompatibleEmbedder(
        url=settings.embedding_url,
        model=settings.embedding_model,
        key=settings.embedding_key,
        dimensions=settings.embedding_dimensions,
        timeout_seconds=timeout,
        breaker=resilience.breaker("embedding", policies.EMBEDDING),
        bulkhead=resilience.bulkhead(
            "embedding", concurrent=CONCURRENT_REQUESTS, queue=QUEUED_REQUESTS, longest_wait_seconds=timeout
        ),
        retried=partial(resilience.retried, "embedding"),
    )
