"""Relationships that use suggests, and applying them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pronoia.domain.errors import NotFoundError
from pronoia.domain.records import RelationshipType
from pronoia.memory.analyzer import STOP_WORDS, words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.ports.insight_store import InsightStore, LearningRuns
    from pronoia.ports.telemetry import Meter
    from pronoia.services.insights import Insights, UseReport
    from pronoia.services.relationships import Relationships

ANALYSED_DAYS = 90
FEWEST_CO_ACCESSES = 5
APPLY_CONFIDENCE = 0.75
STALE_SECONDS = 180 * 86_400
MOST_SUGGESTIONS = 100
COMMON_WORDS = 3
SHORTEST_WORD = 5
HIGHEST_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Suggested:
    """A relationship that use suggests."""

    memory_id: UUID
    related_memory_id: UUID
    suggested_type: RelationshipType
    confidence: float
    reason: str
    co_access_count: int

    @property
    def id(self) -> str:
        """Names the suggestion; the next analysis that makes it gives it the same."""
        return f"{self.suggested_type}:{self.memory_id}:{self.related_memory_id}"


@dataclass(frozen=True, slots=True)
class Analysed:
    clusters: int
    suggestions: list[Suggested]
    weight_adjustments: dict[str, float]
    stale: int
    applied: int
    use: UseReport


class Analysis:
    """Looks at one user's uses. It changes nothing unless it is told to apply what it suggests."""

    def __init__(
        self, *, insights: Insights, relationships: Relationships, store: InsightStore, clock: Clock, meter: Meter
    ) -> None:
        self._insights = insights
        self._relationships = relationships
        self._store = store
        self._clock = clock
        self._meter = meter

    async def analyse(self, scope: Scope, *, apply: bool = False) -> Analysed:
        """Suggest relationships between memories that are used together and not related yet."""
        use = await self._insights.use(scope, ANALYSED_DAYS)
        for pattern in use.patterns:
            self._meter.count("temporal_patterns_detected_total", pattern_type=pattern.kind.value)
        held = use.held
        frequent = [
            (low, high, count)
            for (low, high), count in zip(use.pairs.tolist(), use.pair_counts.tolist(), strict=True)
            if count >= FEWEST_CO_ACCESSES
        ]
        suggestions = [
            _suggestion(held, low, high, count)
            for low, high, count in sorted(frequent, key=lambda pair: -pair[2])
            if not _related(held, low, high)
        ][:MOST_SUGGESTIONS]
        applied = await self._write(scope, held, suggestions, APPLY_CONFIDENCE) if apply else 0
        await self._store.note_run(scope, "patterns", self._clock.now(), applied)
        used = held.last_accessed
        oldest = self._clock.now().timestamp() - STALE_SECONDS
        stale = int((held.alive & (np.isnan(used) | (used < oldest))).sum())
        return Analysed(len(_clusters(frequent)), suggestions, _adjustments(use), stale, applied, use)

    async def apply(self, scope: Scope, suggestions: Sequence[Suggested], minimum_confidence: float) -> int:
        """Write the suggested relationships that are not there yet, and say how many.

        Raises NotFoundError, before anything is written, for a memory that is not the user's. Above the resident limit,
        where not all that the user has is at hand, such suggestions are passed over.
        """
        use = await self._insights.use(scope, 1)
        for memory_id in (end for one in suggestions for end in (one.memory_id, one.related_memory_id)):
            if use.held.count == use.memory_count and use.held.row_of(memory_id) is None:
                raise NotFoundError("There is no such memory.", id=str(memory_id))
        return await self._write(scope, use.held, suggestions, minimum_confidence)

    async def _write(
        self, scope: Scope, held: WorkingSet, suggestions: Sequence[Suggested], minimum_confidence: float
    ) -> int:
        """Write what reaches the confidence. A memory that is deleted meanwhile is passed over."""
        applied = 0
        for one in suggestions:
            if one.confidence < minimum_confidence or one.memory_id == one.related_memory_id or _has_link(held, one):
                continue
            try:
                await self._relationships.add(
                    scope,
                    one.memory_id,
                    one.related_memory_id,
                    kind=one.suggested_type,
                    strength=one.confidence,
                    explanation=one.reason[:200],
                )
            except NotFoundError:
                continue
            applied += 1
        return applied

    async def status(self, scope: Scope) -> LearningRuns:
        """Tell what was done for the user so far, and when it is their organisation's turn again."""
        return await self._store.runs(scope)


def _suggestion(held: WorkingSet, low: int, high: int, count: int) -> Suggested:
    confidence = 0.6 + count / 100
    tags = set(held.tags(low)) & set(held.tags(high))
    common = _long_words(held.text(low)) & _long_words(held.text(high))
    confidence += 0.1 * bool(tags) + 0.05 * (len(common) > COMMON_WORDS)
    kind = RelationshipType.SIMILAR_TO if len(common) > COMMON_WORDS else RelationshipType.RELATED_TO
    first, second = held.ids([low, high])
    reason = f"Used together in {count} sessions."
    return Suggested(first, second, kind, round(min(confidence, HIGHEST_CONFIDENCE), 3), reason, count)


def _long_words(text: str) -> set[str]:
    return {word for word in words(text) if len(word) >= SHORTEST_WORD and word not in STOP_WORDS}


def _related(held: WorkingSet, low: int, high: int) -> bool:
    first, second = held.ids([low, high])
    ends = {link.related_memory_id for link in held.links.outgoing(first)}
    return second in ends or first in {link.related_memory_id for link in held.links.outgoing(second)}


def _has_link(held: WorkingSet, wanted: Suggested) -> bool:
    return any(
        link.related_memory_id == wanted.related_memory_id and link.type == wanted.suggested_type
        for link in held.links.outgoing(wanted.memory_id)
    )


def _clusters(pairs: Sequence[tuple[int, int, int]]) -> set[int]:
    """Give one member of each group of memories that are connected by frequent pairs."""
    root: dict[int, int] = {}

    def find(one: int) -> int:
        while root.setdefault(one, one) != one:
            one = root[one]
        return one

    for low, high, _ in pairs:
        root[find(high)] = find(low)
    return {find(one) for one in list(root)}


def _adjustments(use: UseReport) -> dict[str, float]:
    """Give how much more often than on average memories related by each type are used together, in [-1, 1]."""
    none = np.zeros(0, dtype=np.bool_)
    together = {kind.value: use.links.together.get(kind, none) for kind in RelationshipType}
    seen = np.concatenate(list(together.values()))
    average = float(seen.mean()) if len(seen) else 0.0
    return {kind: round(float(all_.mean()) - average, 3) if len(all_) else 0.0 for kind, all_ in together.items()}
