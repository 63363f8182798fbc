"""All use cases, as the faces receive them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pronoia.services.analysis import Analysis
    from pronoia.services.answers import Answers
    from pronoia.services.audit.audit import Audit
    from pronoia.services.authentication import Authentication
    from pronoia.services.caches import Caches
    from pronoia.services.context import Context
    from pronoia.services.delegated_keys import DelegatedKeys
    from pronoia.services.health import Health
    from pronoia.services.insights import Insights
    from pronoia.services.keys import Keys
    from pronoia.services.maintenance import Maintenance
    from pronoia.services.memories import Memories
    from pronoia.services.monitoring.monitoring import Monitoring
    from pronoia.services.organisations import Organisations
    from pronoia.services.predictions import Predictions
    from pronoia.services.projects import Projects
    from pronoia.services.quarantine import Quarantine
    from pronoia.services.ranking_weights import RankingWeights
    from pronoia.services.rate_limits import RateLimits
    from pronoia.services.recall import Recall
    from pronoia.services.relationships import Relationships
    from pronoia.services.resilience import Resilience
    from pronoia.services.subjects import Subjects
    from pronoia.services.suggest import Suggest
    from pronoia.services.users import Users


@dataclass(frozen=True, slots=True)
class Services:
    memories: Memories
    recall: Recall
    predictions: Predictions
    context: Context
    suggest: Suggest
    relationships: Relationships
    ranking_weights: RankingWeights
    insights: Insights
    analysis: Analysis
    maintenance: Maintenance
    keys: Keys
    subjects: Subjects
    delegated_keys: DelegatedKeys
    organisations: Organisations
    projects: Projects
    users: Users
    quarantine: Quarantine
    authentication: Authentication
    limits: RateLimits
    answers: Answers
    caches: Caches
    health: Health
    resilience: Resilience
    monitoring: Monitoring
    audit: Audit
