"""What the server can do without while it has too much to do, and from which level on it does."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pronoia.resilience.degradation import Level

if TYPE_CHECKING:
    from collections.abc import Mapping


class Feature(StrEnum):
    TEMPORAL_PATTERNS = "temporal-patterns"
    CONTEXT_SUGGESTIONS = "context-suggestions"
    MAINTENANCE_SUGGESTIONS = "maintenance-suggestions"
    LEARNING_METRICS = "learning-metrics"


OFF_FROM: Mapping[Feature, Level] = {
    Feature.TEMPORAL_PATTERNS: Level.HIGH,
    Feature.CONTEXT_SUGGESTIONS: Level.HIGH,
    Feature.MAINTENANCE_SUGGESTIONS: Level.CRITICAL,
    Feature.LEARNING_METRICS: Level.CRITICAL,
}
