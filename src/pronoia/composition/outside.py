"""What leads outside of the process: the database, the embedder, caches, limits, receivers of alerts, telemetry."""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pronoia.adapters.alerting.alertmanager import Alertmanager
from pronoia.adapters.alerting.pagerduty import PagerDuty
from pronoia.adapters.alerting.slack import Slack
from pronoia.adapters.embedding.openai_compatible import (
    CONCURRENT_REQUESTS,
    QUEUED_REQUESTS,
    OpenAICompatibleEmbedder,
)
from pronoia.adapters.embedding.static import StaticEmbedder
from pronoia.adapters.ledger_file import LedgerFile
from pronoia.adapters.postgres.cache_tier import PostgresCacheTier
from pronoia.adapters.postgres.change_feed import PostgresChangeFeed
from pronoia.adapters.postgres.limit_store import PostgresLimitStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.faces.http.routes.health import VERSION
from pronoia.resilience import policies
from pronoia.services.rate_limiter import STORE_SECONDS
from pronoia.services.resilience import POOL

if TYPE_CHECKING:
    from pronoia.adapters.redis.limit_store import RedisLimitStore
    from pronoia.config import Settings
    from pronoia.ports.cache_tier import CacheTier
    from pronoia.ports.clock import Clock
    from pronoia.ports.embedder import Embedder
    from pronoia.ports.monitoring import AlertReceiver
    from pronoia.ports.telemetry import Telemetry
    from pronoia.resilience.breaker import Breaker
    from pronoia.services.resilience import Resilience

LIMIT_CONNECTIONS = 2
RESERVED_SHARE = 10
"""One connection in so many is kept for health and authentication."""


def make_telemetry(settings: Settings) -> Telemetry:
    """Make what measures and traces."""
    return open_telemetry(metrics_folder=settings.metrics_folder, traces_url=settings.traces_url, version=VERSION)


async def open_database(
    settings: Settings, telemetry: Telemetry, resilience: Resilience, *, connections: int, name: str = POOL
) -> Database:
    """Open a pool behind a breaker and a bulkhead of its own."""
    timeout = settings.database_timeout_seconds
    return await Database.open(
        settings.database_url,
        connections=connections,
        timeout_seconds=timeout,
        pooler=settings.database_pooler,
        telemetry=telemetry,
        breaker=resilience.breaker(name, replace(policies.DATABASE, open_seconds=settings.database_breaker_seconds)),
        bulkhead=resilience.bulkhead(
            name,
            concurrent=connections,
            queue=settings.database_queue,
            longest_wait_seconds=timeout,
            reserved=max(connections // RESERVED_SHARE, 1),
        ),
    )


async def open_limit_store(
    settings: Settings, telemetry: Telemetry, resilience: Resilience
) -> PostgresLimitStore | RedisLimitStore:
    """Open what limits are shared in; on PostgreSQL with connections of its own, for none of ours to wait for."""
    if settings.cache_url:
        # Its package is an extra.
        from pronoia.adapters.redis.limit_store import RedisLimitStore  # noqa: PLC0415

        return RedisLimitStore(settings.cache_url, timeout_seconds=STORE_SECONDS)
    return PostgresLimitStore(
        await open_database(settings, telemetry, resilience, connections=LIMIT_CONNECTIONS, name="limits")
    )


def make_ledger(settings: Settings) -> LedgerFile | None:
    """Make the ledger of erasures, if there is a place for it."""
    return LedgerFile(Path(settings.erasure_ledger)) if settings.erasure_ledger else None


def direct_url(settings: Settings) -> str:
    """Give the way to the database past any pooler."""
    return settings.database_direct_url or settings.database_url


def make_change_feed(settings: Settings, database: Database) -> PostgresChangeFeed:
    """Make what tells processes of each other."""
    return PostgresChangeFeed(
        database,
        direct_url=direct_url(settings),
        timeout_seconds=settings.database_timeout_seconds,
    )


def make_farther_tiers(settings: Settings, database: Database, clock: Clock) -> list[CacheTier]:
    """Make the cache tiers that processes share."""
    shared: CacheTier = PostgresCacheTier(
        database, name="2", shared=True, lifetime_seconds=600.0, clean_seconds=120.0, maximum_keys=5_000, clock=clock
    )
    if settings.cache_url:
        # Its package is an extra.
        from pronoia.adapters.redis.cache_tier import RedisTier  # noqa: PLC0415

        shared = RedisTier(
            settings.cache_url, name="2", lifetime_seconds=600.0, maximum_keys=5_000, timeout_seconds=1.0, clock=clock
        )
    kept = PostgresCacheTier(
        database, name="3", shared=False, lifetime_seconds=3_600.0, clean_seconds=3_600.0, maximum_keys=50_000,
        clock=clock,
    )  # fmt: skip
    return [shared, kept]


def make_embedder(settings: Settings, resilience: Resilience) -> Embedder:
    """Make the embedder that the settings ask for."""
    if not settings.embedding_url:
        return StaticEmbedder()
    timeout = settings.embedding_timeout_seconds
    return OpenAICompatibleEmbedder(
        url=settings.embedding_url,
        model=settings.embedding_model,
        key=settings.embedding_key,
        dimensions=settings.embedding_dimensions,
        timeout_seconds=timeout,
        breaker=resilience.breaker(
            "embedding", replace(policies.EMBEDDING, open_seconds=settings.embedding_breaker_seconds)
        ),
        bulkhead=resilience.bulkhead(
            "embedding", concurrent=CONCURRENT_REQUESTS, queue=QUEUED_REQUESTS, longest_wait_seconds=timeout
        ),
        retried=partial(resilience.retried, "embedding"),
    )


def make_receivers(settings: Settings, clock: Clock, resilience: Resilience) -> list[AlertReceiver]:
    """Make whoever is told of alerts."""
    receivers: list[AlertReceiver] = []
    if settings.alertmanager_url:
        receivers.append(
            Alertmanager(settings.alertmanager_url, clock, make_breaker(settings, resilience, Alertmanager.name))
        )
    if settings.pagerduty_routing_key:
        breaker = make_breaker(settings, resilience, PagerDuty.name)
        receivers.append(
            PagerDuty(settings.pagerduty_url, settings.pagerduty_routing_key, socket.gethostname(), breaker)
        )
    if settings.slack_webhook_url:
        receivers.append(Slack(settings.slack_webhook_url, make_breaker(settings, resilience, Slack.name)))
    return receivers


def make_breaker(settings: Settings, resilience: Resilience, name: str) -> Breaker:
    """Make the breaker of a service that has no policy of its own."""
    return resilience.breaker(name, replace(policies.EXTERNAL, open_seconds=settings.external_breaker_seconds))
