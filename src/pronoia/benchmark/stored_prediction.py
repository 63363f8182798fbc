"""Prediction as a caller gets it: real services on a real store, at the times that the events tell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope
from pronoia.services.drafts import MAXIMUM_BATCH, Draft
from pronoia.services.predictions import PredictRequest

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.benchmark.proact import Scenario, Step
    from pronoia.services.services import Services
    from pronoia.testing.clock import ManualClock


class StoredPrediction:
    """A PredictionSystem. The first use of an item writes its memory, every later one gets it.

    What happened over months is played in minutes, and learning gets the time that it had: it lags by no use.
    """

    def __init__(self, services: Services, clock: ManualClock) -> None:
        self._services = services
        self._clock = clock
        self._ids: dict[str, dict[str, UUID]] = {}
        self._items: dict[UUID, str] = {}

    async def observe(self, user: str, item: str, at: float) -> None:
        """Use an item at a moment."""
        self._move_to(at)
        known = self._ids.setdefault(user, {})
        memory_id = known.get(item)
        if memory_id is None:
            written = await self._services.memories.add(_scope(user), [Draft(item)])
            memory_id = known[item] = written.memories[0].id
            self._items[memory_id] = item
        else:
            await self._services.recall.get(_scope(user), memory_id)
            await self._services.predictions.catch_up()
            # Nothing above may have waited: let the log of uses be written.
            await asyncio.sleep(0)

    async def predict(self, user: str, at: float, limit: int) -> list[tuple[str, float]]:
        """Predict at a moment, without a minimum."""
        self._move_to(at)
        request = PredictRequest(limit=limit, minimum_confidence=0.0)
        predicted = await self._services.predictions.predict(_scope(user), request)
        return [(self._items[one.memory.id], one.confidence) for one in predicted.predictions]

    def _move_to(self, at: float) -> None:
        self._clock.advance(at - self._clock.now().timestamp())


class StoredContent:
    """A ContentSystem: facts are stored in order, and asked of a fresh history."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ids: dict[str, dict[str, UUID]] = {}

    async def remember(self, scenario: Scenario) -> None:
        """Store the facts of a scenario for a user of its own."""
        ids = self._ids[scenario.id] = {}
        for first in range(0, len(scenario.facts), MAXIMUM_BATCH):
            facts = scenario.facts[first : first + MAXIMUM_BATCH]
            written = await self._services.memories.add(_scope(scenario.id), [Draft(fact.text) for fact in facts])
            ids.update((fact.id, memory.id) for fact, memory in zip(facts, written.memories, strict=True))

    async def predict(self, scenario: Scenario, step: Step) -> list[str]:
        """Predict what the next need will want; ids of facts, best first."""
        ids = self._ids[scenario.id]
        names = {memory_id: fact_id for fact_id, memory_id in ids.items()}
        request = PredictRequest(
            context=step.context,
            recent=tuple(ids[fact_id] for fact_id in step.recent),
            limit=len(ids),
            minimum_confidence=0.0,
        )
        predicted = await self._services.predictions.predict(_scope(scenario.id), request)
        return [names[one.memory.id] for one in predicted.predictions]


def _scope(user: str) -> Scope:
    return Scope(DEFAULT_ORGANISATION, f"benchmark-{user}")
