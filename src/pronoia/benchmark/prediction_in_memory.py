"""The models alone, without services or a store: for quick looks."""

from __future__ import annotations

import numpy as np

from pronoia.benchmark.in_memory import ORGANISATION
from pronoia.domain.identifiers import Scope
from pronoia.prediction.blend import SharedBlend
from pronoia.prediction.model import Model


class InMemoryPrediction:
    """A PredictionSystem of one organisation that lasts as long as it does."""

    def __init__(self) -> None:
        self._shared = SharedBlend()
        self._models: dict[str, Model] = {}
        self._items: dict[str, dict[str, int]] = {}

    async def observe(self, user: str, item: str, at: float) -> None:
        """Let the user's model learn."""
        model = self._models.get(user)
        if model is None:
            model = self._models[user] = Model(self._shared, Scope(ORGANISATION, user))
        numbers = self._items.setdefault(user, {})
        model.observe(numbers.setdefault(item, len(numbers)), at)

    async def predict(self, user: str, at: float, limit: int) -> list[tuple[str, float]]:
        """Give the items that the user's model finds most likely."""
        model = self._models.get(user)
        if model is None:
            return []
        prediction = model.predict(at)
        names = list(self._items[user])
        best = prediction.order[:limit]
        confidences = prediction.confidences(np.arange(len(best)))
        return [(names[row], float(sure)) for row, sure in zip(best, confidences, strict=True)]
