"""What the use cases share."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pronoia.adapters.audit.checkpoint_files import CheckpointFiles
from pronoia.adapters.cache.local import LocalTier
from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.adapters.postgres.contribution_store import PostgresContributionStore
from pronoia.adapters.postgres.insight_store import PostgresInsightStore
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.monitoring_store import PostgresMonitoringStore
from pronoia.adapters.postgres.ranking_store import PostgresRankingStore
from pronoia.adapters.postgres.subject_store import PostgresSubjectStore
from pronoia.composition.encryption import master_keys
from pronoia.composition.outside import (
    direct_url,
    make_change_feed,
    make_farther_tiers,
    make_ledger,
    make_receivers,
)
from pronoia.config import zone_of
from pronoia.faces.http.routes.health import VERSION
from pronoia.memory.excerpts import Excerpts
from pronoia.services.answers import Answers
from pronoia.services.audit.audit import Audit
from pronoia.services.audit.chainer import Chainer
from pronoia.services.caches import Caches
from pronoia.services.changes import Changes
from pronoia.services.erasures import Erasures
from pronoia.services.key_uses import KeyUses
from pronoia.services.monitoring.loops import Loops
from pronoia.services.monitoring.monitoring import Monitoring
from pronoia.services.monitoring.parts import parts as parts_of_server
from pronoia.services.outcomes import Outcomes
from pronoia.services.prediction_learning import PredictionLearning, utc_offset
from pronoia.services.query_vectors import QueryVectors
from pronoia.services.ranking_weights import RankingWeights
from pronoia.services.recall import Recall
from pronoia.services.uses import Uses

if TYPE_CHECKING:
    from pronoia.composition.foundation import Foundation

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    caches: Caches
    changes: Changes
    excerpts: Excerpts
    insight_store: PostgresInsightStore
    key_store: PostgresKeyStore
    key_uses: KeyUses
    outcomes: Outcomes
    learning: PredictionLearning
    uses: Uses
    ranking_weights: RankingWeights
    recall: Recall
    answers: Answers
    loops: Loops
    monitoring: Monitoring
    subject_store: PostgresSubjectStore
    erasures: Erasures
    audit: Audit
    chainer: Chainer


def make_parts(base: Foundation) -> Parts:
    """Make them in the order in which they need each other."""
    local = LocalTier(
        name="1",
        lifetime_seconds=300.0,
        maximum_keys=10_000,
        maximum_bytes=base.settings.cache_bytes,
        clock=base.clock,
    )
    caches = _caches(base, local)
    insight_store = PostgresInsightStore(base.database)
    outcomes = Outcomes(store=insight_store, clock=base.clock, meter=base.meter)
    ranking_weights = _ranking_weights(base)
    changes = Changes(
        feed=make_change_feed(base.settings, base.database),
        residents=base.residents,
        others=[local],
        holders=[outcomes, ranking_weights],
    )
    learning = PredictionLearning(
        store=PostgresContributionStore(base.database),
        residents=base.residents,
        clock=base.clock,
        utc_offset=partial(utc_offset, zone_of(base.settings.time_zone)),
    )
    uses = Uses(
        access_log=PostgresAccessLog(base.database),
        residents=base.residents,
        changes=changes,
        clock=base.clock,
        listeners=(outcomes, learning),
    )
    key_store = PostgresKeyStore(base.database)
    loops = Loops(clock=base.clock, meter=base.meter)
    subject_store = PostgresSubjectStore(base.database, direct_url=direct_url(base.settings), texts=base.texts)
    return Parts(
        caches=caches,
        changes=changes,
        excerpts=Excerpts(base.store, space=base.embedder.space, dimensions=base.embedder.dimensions),
        insight_store=insight_store,
        key_store=key_store,
        key_uses=KeyUses(store=key_store, clock=base.clock),
        outcomes=outcomes,
        learning=learning,
        uses=uses,
        ranking_weights=ranking_weights,
        recall=_recall(base, caches, uses, outcomes, ranking_weights),
        answers=_answers(base, caches, uses, learning, ranking_weights),
        loops=loops,
        monitoring=_monitoring(base, caches, loops),
        subject_store=subject_store,
        erasures=Erasures(store=subject_store, ledger=make_ledger(base.settings), clock=base.clock, meter=base.meter),
        audit=Audit(store=PostgresAuditStore(base.database), clock=base.clock),
        chainer=_chainer(base),
    )


def _chainer(base: Foundation) -> Chainer:
    folder = base.settings.audit_folder
    if not folder:
        log.warning(
            "audit.not_signed", reason="PRONOIA_AUDIT_FOLDER is not set: nothing outside the database proves it"
        )
    return Chainer(
        store=PostgresAuditStore(base.database),
        checkpoints=CheckpointFiles(Path(folder)) if folder else None,
        clock=base.clock,
        meter=base.meter,
    )


def _caches(base: Foundation, local: LocalTier) -> Caches:
    # Answers hold texts: where those are encrypted, none leaves the process.
    encrypted = master_keys(base.settings) is not None
    farther = [] if encrypted else make_farther_tiers(base.settings, base.database, base.clock)
    tiers = [local, *farther][: base.settings.cache_tiers]
    return Caches(tiers=tiers, clock=base.clock, meter=base.meter, draw=random.random)


def _ranking_weights(base: Foundation) -> RankingWeights:
    return RankingWeights(
        store=PostgresRankingStore(base.database, texts=base.texts),
        embedder=base.embedder,
        residents=base.residents,
        clock=base.clock,
        meter=base.meter,
        executor=base.executor,
        prior=base.prior,
    )


def _recall(
    base: Foundation, caches: Caches, uses: Uses, outcomes: Outcomes, ranking_weights: RankingWeights
) -> Recall:
    return Recall(
        store=base.store,
        embedder=base.embedder,
        query_vectors=QueryVectors(embedder=base.embedder, caches=caches if base.settings.embedding_url else None),
        residents=base.residents,
        uses=uses,
        outcomes=outcomes,
        ranking_weights=ranking_weights,
        clock=base.clock,
        meter=base.meter,
        executor=base.executor,
        prior=base.prior,
    )


def _answers(
    base: Foundation, caches: Caches, uses: Uses, learning: PredictionLearning, ranking_weights: RankingWeights
) -> Answers:
    return Answers(
        caches=caches,
        residents=base.residents,
        uses=uses,
        ranking_weights=ranking_weights,
        learning=learning,
        clock=base.clock,
        edition=f"{VERSION} {base.embedder.space} {base.settings.time_zone}",
    )


def _monitoring(base: Foundation, caches: Caches, loops: Loops) -> Monitoring:
    return Monitoring(
        store=PostgresMonitoringStore(base.database),
        parts=parts_of_server(
            database=base.database,
            embedder=base.embedder,
            caches=caches,
            readings=base.readings,
            loops=loops,
            clock=base.clock,
            data=Path(base.settings.data),
        ),
        receivers=make_receivers(base.settings, base.clock, base.resilience),
        readings=base.readings,
        clock=base.clock,
        pause_seconds=base.settings.alert_seconds,
    )
