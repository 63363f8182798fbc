"""Naming what is needed next, before anyone asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from pronoia.memory.columns import split
from pronoia.prediction.content import measure_content
from pronoia.prediction.content_prior import shipped_content_prior
from pronoia.prediction.signals import REASONS, SIGNALS
from pronoia.recall.query import Query
from pronoia.services.drafts import check_text
from pronoia.services.recall import MAXIMUM_QUERY_LENGTH
from pronoia.services.timing import timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Memory
    from pronoia.domain.trust import Trust
    from pronoia.memory.excerpts import Excerpts
    from pronoia.memory.residents import Residents
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter
    from pronoia.prediction.content import ContentSignals
    from pronoia.prediction.model import Prediction
    from pronoia.services.outcomes import Outcomes
    from pronoia.services.prediction_learning import PredictionLearning
    from pronoia.services.recall import Recall

FLOOR = 0.05
"""Least confidence that is worth a word unless the caller says otherwise."""
SMALLEST_REASON = 0.25
"""Log-odds beyond those of an average memory."""
MOST_REASONS = 3
REASON_OF_SIGNAL = tuple(REASONS[name] for name in SIGNALS)
REASONS_IN_ORDER = tuple(dict.fromkeys(REASON_OF_SIGNAL))


@dataclass(frozen=True, slots=True)
class PredictRequest:
    context: str | None = None
    recent: tuple[UUID, ...] = ()
    """What the caller has in hand, oldest first: it is not predicted. Ids that the user does not own say nothing."""
    limit: int = 10
    minimum_confidence: float = FLOOR
    minimum_trust: Trust | None = None


@dataclass(frozen=True, slots=True)
class PredictedMemory:
    memory: Memory
    confidence: float
    """Probability that the memory is among the user's next ten uses, as such predictions held until now."""
    reasons: list[str]
    related_to: list[UUID]
    """The recent memories that are related to it."""


@dataclass(frozen=True, slots=True)
class Predicted:
    predictions: list[PredictedMemory]
    """Most likely first; empty if none reaches the minimum."""
    version: int
    whole: bool = True
    """False if a part was away that would have said more."""


class Predictions:
    """Answers from the working set, or above the resident limit from one of the memories used last."""

    def __init__(
        self,
        *,
        recall: Recall,
        residents: Residents,
        excerpts: Excerpts,
        learning: PredictionLearning,
        outcomes: Outcomes,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._recall = recall
        self._residents = residents
        self._excerpts = excerpts
        self._learning = learning
        self._outcomes = outcomes
        self._clock = clock
        self._meter = meter

    async def predict(self, scope: Scope, request: PredictRequest, minimum_version: int | None = None) -> Predicted:
        """Give what is likely needed next, or nothing rather than a guess. Raises InvalidInputError."""
        predicted = await self.find(scope, request, self._clock.now(), minimum_version)
        self.shown(scope, [(one.memory.id, one.confidence) for one in predicted.predictions])
        return predicted

    def shown(self, scope: Scope, predictions: Sequence[tuple[UUID, float]]) -> None:
        """Note what was predicted, and with what confidence: later uses tell whether it was right."""
        self._outcomes.record_prediction(scope, predictions)
        self._meter.count("predictions_total", outcome="predicted" if predictions else "silent")
        self._meter.count("memory_operations_total", operation="predict")

    async def catch_up(self) -> None:
        """Learn from every use until now. A server does so by itself, within a tenth of a second."""
        await self._learning.learn()

    async def find(
        self, scope: Scope, request: PredictRequest, at: datetime, minimum_version: int | None = None
    ) -> Predicted:
        """Predict as of a time, and note nothing. Raises InvalidInputError."""
        if request.context is not None:
            check_text(request.context, "context", MAXIMUM_QUERY_LENGTH)
        with timed(self._meter, self._clock, "prediction_duration_seconds"):
            return await self._find(scope, request, at, minimum_version)

    async def _find(
        self, scope: Scope, request: PredictRequest, at: datetime, minimum_version: int | None
    ) -> Predicted:
        vector = None if request.context is None else await self._recall.vector(scope, request.context)
        held = await self._residents.get(scope, minimum_version)
        if held is None:
            held = await self._excerpts.last_used(scope)
        serving = await self._learning.serving(held)
        # Nothing waits from here on: numbers and rows stay as they are.
        rows = held.rows_of_history()
        recent = [row for memory_id in request.recent if (row := held.row_of(memory_id)) is not None]
        content = None
        if request.context is not None or recent:
            query = Query.of(request.context or "", vector)
            content = measure_content(held, query.terms, query.vector, recent)
        prediction = serving.model.predict(at.timestamp(), _evidence(content, rows), serving.blend)
        predictions = _chosen(held, request, prediction, rows, recent, content)
        return Predicted(predictions, held.version, whole=request.context is None or vector is not None)


def _evidence(content: ContentSignals | None, rows: NDArray[np.intp]) -> NDArray[np.float32] | None:
    return None if content is None else content.score(shipped_content_prior().weight_array())[rows]


def _chosen(
    held: WorkingSet,
    request: PredictRequest,
    prediction: Prediction,
    rows: NDArray[np.intp],
    recent: list[int],
    content: ContentSignals | None,
) -> list[PredictedMemory]:
    possible = rows >= 0
    if recent:
        possible &= ~np.isin(rows, recent)
    if request.minimum_trust is not None:
        possible &= held.origins.trust[rows] >= request.minimum_trust.rank
    places = np.flatnonzero(possible[prediction.order])[: request.limit]
    confidences = prediction.confidences(places)
    sure = confidences >= request.minimum_confidence
    numbers = prediction.order[places[sure]]
    recent_keys = {memory_id.bytes for memory_id in held.ids(recent)}
    contributions = prediction.contributions(numbers).T.tolist()
    return [
        PredictedMemory(
            memory=held.memory(row),
            confidence=confidence,
            reasons=_reasons(added, content, row),
            related_to=_related(held, held.history.id(number), recent_keys),
        )
        for number, row, confidence, added in zip(
            numbers.tolist(), rows[numbers].tolist(), confidences[sure].tolist(), contributions, strict=True
        )
    ]


def _reasons(contributions: Sequence[float], content: ContentSignals | None, row: int) -> list[str]:
    """Name the experts that carried a memory, the weightiest first, and at least one."""
    added = dict.fromkeys(REASONS_IN_ORDER, 0.0)
    for reason, contribution in zip(REASON_OF_SIGNAL, contributions, strict=True):
        added[reason] += contribution
    ordered = sorted(added, key=added.__getitem__, reverse=True)
    named = [reason for reason in ordered[:MOST_REASONS] if added[reason] >= SMALLEST_REASON]
    said = [] if content is None else content.reasons(row, shipped_content_prior().weight_array())
    return [*said, *named] or ordered[:1]


def _related(held: WorkingSet, memory_id: UUID, recent_keys: set[bytes]) -> list[UUID]:
    if not recent_keys:
        return []
    others = split(held.links.around(memory_id).others.tobytes())
    return sorted(UUID(bytes=key) for key in recent_keys.intersection(others))
