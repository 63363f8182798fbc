"""The composition root: the only place that knows everything."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pronoia.adapters.embedding.openai_compatible import OpenAICompatibleEmbedder
from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.change_feed import PostgresChangeFeed
from pronoia.adapters.postgres.insight_store import PostgresInsightStore, PostgresScheduleStore
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.config import read_settings
from pronoia.domain.errors import ConfigurationError
from pronoia.faces.http.application import create_http_app
from pronoia.faces.http.lifespan import Lifespan
from pronoia.memory.residents import Residents
from pronoia.resilience.clock import SystemClock
from pronoia.services.analysis import Analysis
from pronoia.services.background import Background
from pronoia.services.changes import Changes
from pronoia.services.context import Context
from pronoia.services.health import Health
from pronoia.services.insights import Insights
from pronoia.services.keys import Keys
from pronoia.services.memories import Memories
from pronoia.services.outcomes import Outcomes
from pronoia.services.recall import Recall
from pronoia.services.relationships import Relationships
from pronoia.services.schedule import Job, Schedule
from pronoia.services.services import Services
from pronoia.services.uses import Uses

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from litestar.types import ASGIApp

    from pronoia.config import Settings
    from pronoia.ports import Embedder


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """Open everything a migrated database needs, and close it in the reverse order; what is pending is written."""
    database = await Database.open(
        settings.database_url,
        connections=settings.database_connections,
        timeout_seconds=settings.database_timeout_seconds,
        pooler=settings.database_pooler,
    )
    embedder = _embedder(settings)
    executor = ThreadPoolExecutor(2, thread_name_prefix="ranking")
    clock = SystemClock()
    store = PostgresMemoryStore(database, resident_limit=settings.resident_limit)
    residents = Residents(
        store,
        space=embedder.space,
        dimensions=embedder.dimensions,
        budget_bytes=settings.working_set_bytes,
        resident_limit=settings.resident_limit,
    )
    feed = PostgresChangeFeed(
        database,
        direct_url=settings.database_direct_url or settings.database_url,
        timeout_seconds=settings.database_timeout_seconds,
    )
    changes = Changes(feed=feed, residents=residents)
    insight_store = PostgresInsightStore(database)
    outcomes = Outcomes(store=insight_store, clock=clock)
    uses = Uses(access_log=PostgresAccessLog(database), residents=residents, outcomes=outcomes, clock=clock)
    recall = Recall(store=store, embedder=embedder, residents=residents, uses=uses, clock=clock, executor=executor)
    background = Background(
        queue=PostgresWorkQueue(database),
        embedder=embedder,
        residents=residents,
        changes=changes,
        clock=clock,
        executor=executor,
    )
    insights = Insights(
        store=insight_store, residents=residents, clock=clock, executor=executor, zone=_zone(settings.time_zone)
    )
    relationships = Relationships(store=store, residents=residents, changes=changes, clock=clock)
    analysis = Analysis(insights=insights, relationships=relationships, store=insight_store, clock=clock)
    jobs = [
        Job("patterns", 3600.0, partial(analysis.analyse, apply=settings.learning_auto_apply)),
        Job("metrics", 86_400.0, insights.keep_measures),
    ]
    schedule = Schedule(store=PostgresScheduleStore(database), insights=insight_store, jobs=jobs, clock=clock.now)
    services = Services(
        memories=Memories(
            store=store,
            embedder=embedder,
            residents=residents,
            changes=changes,
            uses=uses,
            clock=clock,
            maximum_text_length=settings.maximum_text_length,
        ),
        recall=recall,
        context=Context(recall=recall),
        relationships=relationships,
        insights=insights,
        analysis=analysis,
        outcomes=outcomes,
        keys=Keys(store=PostgresKeyStore(database), clock=clock),
        health=Health(database=database, clock=clock),
    )
    running = [uses.run(), changes.announce(), changes.listen(), background.run(), outcomes.run()]
    if settings.learning_schedule:
        running.append(schedule.run())
    loops = [asyncio.create_task(loop) for loop in running]
    try:
        yield services
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await uses.flush()
        await outcomes.flush()
        executor.shutdown(wait=False, cancel_futures=True)
        await embedder.close()
        await database.close()


def create() -> ASGIApp:
    """Make the server's application from the environment; each worker process calls it once."""
    settings = read_settings()

    @asynccontextmanager
    async def open_application() -> AsyncGenerator[ASGIApp]:
        async with open_services(settings) as services:
            yield create_http_app(services, settings)

    return Lifespan(open_application)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(f"PRONOIA_TIME_ZONE is no known time zone: {name}.") from error


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
