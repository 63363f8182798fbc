"""What runs beside the requests, and by the clock."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.housekeeping import PostgresHousekeeping
from pronoia.adapters.postgres.insight_store import PostgresScheduleStore
from pronoia.adapters.postgres.limit_store import PostgresLimitStore
from pronoia.adapters.postgres.totals_store import PostgresTotalsStore
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.adapters.telemetry.process import ProcessWatch
from pronoia.composition.outside import direct_url
from pronoia.faces.http.routes.maintenance import give_suggestions
from pronoia.ports.housekeeping import Retention
from pronoia.services.background import Background
from pronoia.services.expiry import Expiry
from pronoia.services.features import Feature
from pronoia.services.gauges import Gauges
from pronoia.services.housekeeping import Housekeeping
from pronoia.services.schedule import Job, Schedule

if TYPE_CHECKING:
    from pronoia.composition.foundation import Foundation
    from pronoia.composition.parts import Parts
    from pronoia.config import Settings
    from pronoia.domain.identifiers import Scope
    from pronoia.services.monitoring.loops import Loop
    from pronoia.services.services import Services


def make_loops(base: Foundation, parts: Parts, services: Services) -> list[Loop]:
    """Give what runs until the server stops."""
    background = Background(
        store=base.store,
        queue=PostgresWorkQueue(base.database),
        embedder=base.embedder,
        residents=base.residents,
        changes=parts.changes,
        clock=base.clock,
        meter=base.meter,
        executor=base.report_executor,
    )
    housekeeping_store = PostgresHousekeeping(base.database, direct_url=direct_url(base.settings))
    housekeeping = Housekeeping(
        store=housekeeping_store,
        retention=_retention(base.settings),
        expiry=Expiry(store=housekeeping_store, memories=services.memories, clock=base.clock, meter=base.meter),
        erasures=parts.erasures,
        clock=base.clock,
        dimensions=base.embedder.dimensions,
    )
    gauges = Gauges(
        store=PostgresTotalsStore(base.database),
        residents=base.residents,
        uses=parts.uses,
        ranking_weights=parts.ranking_weights,
        clock=base.clock,
        meter=base.meter,
    )
    loops: list[Loop] = [
        base.resilience.run,
        parts.monitoring.watch.run,
        ProcessWatch(base.meter).run,
        gauges.run,
        parts.uses.run,
        parts.key_uses.run,
        parts.changes.announce,
        parts.changes.listen,
        background.run,
        housekeeping.run,
        parts.learning.run,
        parts.outcomes.run,
        services.maintenance.run,
        parts.ranking_weights.run,
        parts.ranking_weights.count,
        parts.caches.run,
        base.tokens.run,
        parts.audit.run,
        parts.chainer.run,
    ]
    if isinstance(base.limit_store, PostgresLimitStore):
        loops.append(base.limit_store.run)
    if base.settings.learning_schedule:
        loops.append(_schedule(base, parts, services).run)
    return loops


def _retention(settings: Settings) -> Retention:
    def days(count: int) -> timedelta | None:
        return timedelta(days=count) if count else None

    return Retention(
        outcomes=timedelta(hours=settings.idempotency_hours),
        uses=days(settings.access_retention_days),
        removals=days(settings.removal_retention_days),
        metrics=days(settings.metric_retention_days),
        token_revocations=timedelta(seconds=settings.maximum_token_seconds + settings.token_leeway_seconds),
    )


def _schedule(base: Foundation, parts: Parts, services: Services) -> Schedule:
    return Schedule(
        store=PostgresScheduleStore(base.database),
        insights=parts.insight_store,
        jobs=scheduled_jobs(base.settings, services),
        clock=base.clock.now,
        is_off=base.resilience.is_off,
    )


def scheduled_jobs(settings: Settings, services: Services) -> list[Job]:
    """Give what is done for users by the clock. Only learning_auto_apply lets it change their memory."""

    async def maintain(scope: Scope) -> None:
        if settings.learning_auto_apply:
            await services.maintenance.mend(scope)
        await give_suggestions(services, scope)

    analyse = partial(services.analysis.analyse, apply=settings.learning_auto_apply)
    return [
        Job("patterns", 3_600.0, analyse, Feature.TEMPORAL_PATTERNS),
        Job("metrics", 86_400.0, services.insights.keep_measures, Feature.LEARNING_METRICS),
        Job("maintenance", 21_600.0, maintain, Feature.MAINTENANCE_SUGGESTIONS),
    ]
