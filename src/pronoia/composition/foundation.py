"""What everything else stands on."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pronoia.adapters.compute import ComputeExecutor
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.process_memory import allowed_bytes, resident_bytes
from pronoia.adapters.telemetry.embedder import MeasuredEmbedder
from pronoia.composition.encryption import open_texts
from pronoia.composition.identity import open_tokens
from pronoia.composition.outside import make_embedder, make_telemetry, open_database, open_limit_store
from pronoia.memory.residents import Residents
from pronoia.recall.prior import shipped_prior
from pronoia.resilience.clock import SystemClock
from pronoia.resilience.concurrency import LimitPolicy
from pronoia.services.monitoring.readings import Readings
from pronoia.services.resilience import Resilience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pronoia.adapters.postgres.limit_store import PostgresLimitStore
    from pronoia.adapters.postgres.text_cipher import Texts
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.adapters.redis.limit_store import RedisLimitStore
    from pronoia.config import Settings
    from pronoia.ports.clock import Clock
    from pronoia.ports.embedder import Embedder
    from pronoia.ports.telemetry import Meter, Telemetry
    from pronoia.recall.prior import Prior
    from pronoia.services.identity.tokens import Tokens

COMPUTE_THREADS = 3
REPORT_THREADS = 2
"""Of the five that compute: reports are costly and nobody waits at a keyboard for them."""
COMPUTE_QUEUE = 10
"""Before either."""


@dataclass(frozen=True, slots=True)
class Foundation:
    settings: Settings
    clock: Clock
    prior: Prior
    telemetry: Telemetry
    """Its meter is `readings`."""
    readings: Readings
    resilience: Resilience
    database: Database
    limit_store: PostgresLimitStore | RedisLimitStore
    tokens: Tokens
    embedder: Embedder
    executor: ComputeExecutor
    report_executor: ComputeExecutor
    """For what may take long, so that it never fills the other."""
    texts: Texts
    store: PostgresMemoryStore
    residents: Residents

    @property
    def meter(self) -> Meter:
        return self.readings


@asynccontextmanager
async def open_foundation(
    settings: Settings, clock: Clock | None, prior: Prior | None, telemetry: Telemetry | None
) -> AsyncGenerator[Foundation]:
    """Open it, and close it again whatever happens; None takes the system's clock, the shipped prior, the settings'."""
    clock, telemetry = clock or SystemClock(), telemetry or make_telemetry(settings)
    readings = Readings(telemetry.meter)
    telemetry = replace(telemetry, meter=readings)
    resilience = _resilience(settings, clock, readings)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(telemetry.tracing.close)
        database = await open_database(settings, telemetry, resilience, connections=settings.database_connections)
        opened.push_async_callback(database.close)
        limit_store = await open_limit_store(settings, telemetry, resilience)
        opened.push_async_callback(limit_store.close)
        tokens = await open_tokens(settings, database, clock=clock, meter=readings, resilience=resilience)
        opened.push_async_callback(tokens.close)
        embedder = MeasuredEmbedder(make_embedder(settings, resilience), telemetry)
        opened.push_async_callback(embedder.close)
        executor = _executor(opened, resilience, "compute", COMPUTE_THREADS)
        report_executor = _executor(opened, resilience, "reports", REPORT_THREADS)
        texts = await open_texts(settings, database)
        store = PostgresMemoryStore(database, resident_limit=settings.resident_limit, texts=texts)
        residents = Residents(
            store,
            readings,
            space=embedder.space,
            dimensions=embedder.dimensions,
            budget_bytes=settings.working_set_bytes,
            resident_limit=settings.resident_limit,
        )
        yield Foundation(
            settings=settings,
            clock=clock,
            prior=prior or shipped_prior(),
            telemetry=telemetry,
            readings=readings,
            resilience=resilience,
            database=database,
            limit_store=limit_store,
            tokens=tokens,
            embedder=embedder,
            executor=executor,
            report_executor=report_executor,
            texts=texts,
            store=store,
            residents=residents,
        )


def _executor(opened: AsyncExitStack, resilience: Resilience, name: str, threads: int) -> ComputeExecutor:
    rejected = partial(resilience.rejected, name)
    executor = ComputeExecutor(concurrent=threads, queue=COMPUTE_QUEUE, rejected=rejected)
    opened.callback(executor.shutdown, wait=False, cancel_futures=True)
    return executor


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
