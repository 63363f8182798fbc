"""The use cases that faces call."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.maintenance_store import PostgresMaintenanceStore
from pronoia.adapters.postgres.organisation_store import (
    PostgresOrganisationStore,
    PostgresProjectStore,
    PostgresUserStore,
)
from pronoia.adapters.postgres.quarantine_store import PostgresQuarantineStore
from pronoia.config import zone_of
from pronoia.services.analysis import Analysis
from pronoia.services.authentication import Authentication
from pronoia.services.context import Context
from pronoia.services.delegated_keys import DelegatedKeys
from pronoia.services.health import Health
from pronoia.services.insights import Insights
from pronoia.services.keys import Keys
from pronoia.services.maintenance import Maintenance
from pronoia.services.memories import Memories
from pronoia.services.organisations import Organisations
from pronoia.services.predictions import Predictions
from pronoia.services.projects import Projects
from pronoia.services.quarantine import Quarantine
from pronoia.services.rate_limiter import RateLimiter
from pronoia.services.rate_limits import NO_LIMITS, Limits, RateLimits
from pronoia.services.relationships import Relationships
from pronoia.services.services import Services
from pronoia.services.subjects import Subjects
from pronoia.services.suggest import Suggest
from pronoia.services.users import Users

if TYPE_CHECKING:
    from pronoia.composition.foundation import Foundation
    from pronoia.composition.parts import Parts
    from pronoia.services.resilience import Resilience


EXPORTS = 2
"""Of all that is held about somebody, side by side in a process: each keeps a connection until it is read."""
EXPORTS_WAITING = 8
EXPORT_WAIT_SECONDS = 5.0


def make_services(base: Foundation, parts: Parts) -> Services:
    """Make all of them."""
    insights = Insights(
        store=parts.insight_store,
        residents=base.residents,
        excerpts=parts.excerpts,
        clock=base.clock,
        executor=base.report_executor,
        zone=zone_of(base.settings.time_zone),
    )
    relationships = Relationships(
        store=base.store, residents=base.residents, excerpts=parts.excerpts, changes=parts.changes, clock=base.clock
    )
    memories = _memories(base, parts)
    keys = Keys(store=parts.key_store, clock=base.clock, used=parts.key_uses.record)
    users = Users(
        store=PostgresUserStore(base.database),
        clock=base.clock,
        token_leeway=timedelta(seconds=base.settings.token_leeway_seconds),
    )
    return Services(
        memories=memories,
        recall=parts.recall,
        predictions=_predictions(base, parts),
        context=Context(recall=parts.recall),
        suggest=_suggest(base, parts),
        relationships=relationships,
        ranking_weights=parts.ranking_weights,
        insights=insights,
        analysis=Analysis(
            insights=insights,
            relationships=relationships,
            store=parts.insight_store,
            clock=base.clock,
            meter=base.meter,
        ),
        maintenance=_maintenance(base, parts),
        keys=keys,
        subjects=_subjects(base, parts, memories, keys),
        authentication=Authentication(keys=keys, tokens=base.tokens, users=users),
        delegated_keys=DelegatedKeys(keys=keys),
        organisations=Organisations(store=PostgresOrganisationStore(base.database), clock=base.clock),
        projects=Projects(store=PostgresProjectStore(base.database), clock=base.clock),
        users=users,
        quarantine=_quarantine(base, parts),
        limits=_rate_limits(base),
        health=Health(database=base.database, resilience=base.resilience, clock=base.clock),
        resilience=base.resilience,
        monitoring=parts.monitoring,
        answers=parts.answers,
        caches=parts.caches,
        audit=parts.audit,
    )


def _memories(base: Foundation, parts: Parts) -> Memories:
    return Memories(
        store=base.store,
        embedder=base.embedder,
        residents=base.residents,
        changes=parts.changes,
        uses=parts.uses,
        outcomes=parts.outcomes,
        learning=parts.learning,
        ranking_weights=parts.ranking_weights,
        answers=parts.answers,
        erasures=parts.erasures,
        clock=base.clock,
        meter=base.meter,
        maximum_text_length=base.settings.maximum_text_length,
    )


def _subjects(base: Foundation, parts: Parts, memories: Memories, keys: Keys) -> Subjects:
    return Subjects(
        store=parts.subject_store,
        memories=memories,
        keys=keys,
        audit=parts.audit,
        bulkhead=base.resilience.bulkhead(
            "export", concurrent=EXPORTS, queue=EXPORTS_WAITING, longest_wait_seconds=EXPORT_WAIT_SECONDS
        ),
        flushes=(parts.uses.flush, parts.learning.save, parts.outcomes.flush),
        clock=base.clock,
        meter=base.meter,
    )


def _predictions(base: Foundation, parts: Parts) -> Predictions:
    return Predictions(
        recall=parts.recall,
        residents=base.residents,
        excerpts=parts.excerpts,
        learning=parts.learning,
        outcomes=parts.outcomes,
        clock=base.clock,
        meter=base.meter,
    )


def _suggest(base: Foundation, parts: Parts) -> Suggest:
    return Suggest(
        recall=parts.recall,
        residents=base.residents,
        uses=parts.uses,
        outcomes=parts.outcomes,
        ranking_weights=parts.ranking_weights,
        clock=base.clock,
        meter=base.meter,
        draw=random.random,
    )


def _maintenance(base: Foundation, parts: Parts) -> Maintenance:
    return Maintenance(
        store=PostgresMaintenanceStore(base.database, resident_limit=base.settings.resident_limit, texts=base.texts),
        residents=base.residents,
        excerpts=parts.excerpts,
        changes=parts.changes,
        clock=base.clock,
        meter=base.meter,
        executor=base.report_executor,
    )


def _quarantine(base: Foundation, parts: Parts) -> Quarantine:
    return Quarantine(
        store=PostgresQuarantineStore(base.database, resident_limit=base.settings.resident_limit, texts=base.texts),
        residents=base.residents,
        changes=parts.changes,
        ranking_weights=parts.ranking_weights,
        clock=base.clock,
        meter=base.meter,
    )


def _rate_limits(base: Foundation) -> RateLimits:
    settings = base.settings
    limits = Limits(
        instance=settings.global_rate_limit,
        organisation=settings.organisation_rate_limit,
        user=settings.user_rate_limit,
        expensive=settings.expensive_rate_limit,
        learning=settings.learning_rate_limit,
        address=settings.anonymous_rate_limit,
        burst=settings.burst_limit,
    )
    load = partial(_pressure, base.resilience)
    limiter = RateLimiter(store=base.limit_store, clock=base.clock, meter=base.meter, load=load)
    return RateLimits(limiter=limiter, limits=limits if settings.rate_limit_enabled else NO_LIMITS)


def _pressure(resilience: Resilience) -> float:
    """Give what the server is loaded with beyond a half: below it, everybody has the whole of their budgets.

    Memory does not count. Fewer requests do not free it.
    """
    busiest = max((value for signal, value in resilience.saturation().items() if signal != "memory"), default=0.0)
    return max(2 * busiest - 1, 0.0)
