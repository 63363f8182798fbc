"""The composition root: the only place that knows everything."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pronoia.adapters.embedding.openai_compatible import OpenAICompatibleEmbedder
from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.change_feed import PostgresChangeFeed
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.maintenance_store import PostgresMaintenanceStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.config import read_settings
from pronoia.faces.http.application import create_http_app
from pronoia.faces.http.lifespan import Lifespan
from pronoia.memory.residents import Residents
from pronoia.resilience.clock import SystemClock
from pronoia.services.background import Background
from pronoia.services.changes import Changes
from pronoia.services.context import Context
from pronoia.services.health import Health
from pronoia.services.keys import Keys
from pronoia.services.maintenance import Maintenance
from pronoia.services.memories import Memories
from pronoia.services.recall import Recall
from pronoia.services.relationships import Relationships
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
    uses = Uses(access_log=PostgresAccessLog(database), residents=residents, changes=changes, clock=clock)
    recall = Recall(store=store, embedder=embedder, residents=residents, uses=uses, clock=clock, executor=executor)
    background = Background(
        queue=PostgresWorkQueue(database),
        embedder=embedder,
        residents=residents,
        changes=changes,
        clock=clock,
        executor=executor,
    )
    maintenance = Maintenance(
        store=PostgresMaintenanceStore(database, resident_limit=settings.resident_limit),
        residents=residents,
        changes=changes,
        clock=clock,
        executor=executor,
    )
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
        relationships=Relationships(store=store, residents=residents, changes=changes, clock=clock),
        maintenance=maintenance,
        keys=Keys(store=PostgresKeyStore(database), clock=clock),
        health=Health(database=database, clock=clock),
    )
    running = (uses.run(), changes.announce(), changes.listen(), background.run(), maintenance.run())
    loops = [asyncio.create_task(loop) for loop in running]
    try:
        yield services
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await uses.flush()
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
