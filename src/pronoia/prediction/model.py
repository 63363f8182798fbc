"""One user's prediction: statistics of use, measured by the experts, weighed by the organisation's blend."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pronoia.prediction.calibration import AHEAD, describe
from pronoia.prediction.experts import measure
from pronoia.prediction.signals import SIGNALS
from pronoia.prediction.statistics import UseStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.domain.identifiers import Scope
    from pronoia.prediction.blend import Blend, SharedBlend

LEARNED_FROM = 128
"""Memories, the last used and the most used, among which one use teaches the blend."""
USES_OF_EVIDENCE = 20
"""Uses after which a history counts half beside what the content says."""
SETTLED = 10
"""Predictions of each use that are later checked."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """All n memories; arrays have n entries, in the order of the memories' numbers."""

    probabilities: NDArray[np.float32]
    """Of being used next; their sum is 1."""
    order: NDArray[np.intp]
    """The memories' numbers, the likeliest first; of equals, the lower number."""
    measured: NDArray[np.float32]
    """The signals; (len(SIGNALS), n)."""
    weights: NDArray[np.float32]
    """Of the signals; (len(SIGNALS),)."""
    uses: int
    """That the model knows."""
    blend: Blend

    def confidences(self, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """Give for some places of the order how likely those memories are used within the next ten uses.

        That is how it held for such predictions before.
        """
        probabilities = self.probabilities[self.order[places]]
        described = describe(probabilities, places, uses=self.uses, memories=len(self.order))
        return self.blend.confidences(described).astype(np.float32)

    def contributions(self, numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        """Give what each signal added to some memories' log-odds, centred over all; (len(SIGNALS), len(numbers))."""
        if not len(numbers):
            return self.measured[:, :0]
        centres = self.measured.mean(axis=1, keepdims=True)
        return self.weights[:, None] * (self.measured[:, numbers] - centres)


@dataclass(frozen=True, slots=True)
class _Measured:
    """The signals of all memories after so many uses at a moment; others are predicted from them in other contexts."""

    uses: int
    at: float
    signals: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Unsettled:
    items: NDArray[np.intp]
    described: NDArray[np.float64]


class Model:
    """Learns from each use of one user and says what comes next."""

    def __init__(self, shared: SharedBlend, user: Scope, utc_offset_seconds: float = 0.0) -> None:
        self._shared = shared
        self._user = user
        self._statistics = UseStatistics(utc_offset_seconds)
        self._unsettled: deque[_Unsettled] = deque()
        self._measured = _Measured(0, 0.0, np.zeros((len(SIGNALS), 0), dtype=np.float32))

    @property
    def uses(self) -> int:
        """Uses that the model knows."""
        return self._statistics.uses

    def replay(self, items: NDArray[np.int32], times: NDArray[np.float64]) -> None:
        """Take over the history of a new model. Nothing is learned: whoever saw these uses first has done so."""
        self._statistics.replay(items, times)

    def observe(self, item: int, at: float) -> None:
        """Learn from a use and remember it. `item` is a memory's number, a new one's the next; `at` in seconds."""
        if self._statistics.uses and item < self._statistics.memories:
            self._learn(item, at)
        self._statistics.record(item, at)
        if len(self._unsettled) == AHEAD:
            self._settle(self._unsettled.popleft())

    def follow(self, item: int, at: float) -> None:
        """Remember a use that another process learned from."""
        self._statistics.record(item, at)
        self._unsettled.clear()

    def predict(self, at: float, evidence: NDArray[np.float32] | None = None, blend: Blend | None = None) -> Prediction:
        """Rank all memories at a moment, by a blend; None takes the current one.

        `evidence` (n,) is added to the log-odds; beside it, a history counts the less the shorter it is, because being
        written is no use.
        """
        blend = blend or self._shared.current
        measured, weights = self._measured_all(at), blend.weights(self._gap(at))
        if evidence is not None:
            used_again = self.uses - self._statistics.memories
            weights = weights * np.float32(used_again / (used_again + USES_OF_EVIDENCE))
        scores = weights @ measured
        probabilities = _softmax(scores if evidence is None else scores + evidence)
        order = np.argsort(-probabilities, kind="stable")
        return Prediction(probabilities, order, measured, weights, self.uses, blend)

    def _learn(self, item: int, at: float) -> None:
        rows = self._worth_learning_from(item)
        measured, weights = measure(self._statistics, at, rows), self._shared.weights(self._gap(at))
        probabilities = _softmax(weights @ measured)
        place = int(rows.searchsorted(item))
        self._shared.learn(
            self._user, self._gap(at), (measured[:, place] - measured @ probabilities).astype(np.float64)
        )
        best = np.argsort(-probabilities)[:SETTLED]
        described = describe(probabilities[best], np.arange(len(best)), uses=self.uses, memories=len(rows))
        self._unsettled.append(_Unsettled(rows[best], described))

    def _worth_learning_from(self, item: int) -> NDArray[np.intp]:
        statistics = self._statistics
        if statistics.memories <= LEARNED_FROM:
            return np.arange(statistics.memories)
        half = LEARNED_FROM // 2
        chosen = statistics.ranks < half
        chosen[(-statistics.counts).argpartition(half)[:half]] = True
        chosen[item] = True
        return np.flatnonzero(chosen)

    def _measured_all(self, at: float) -> NDArray[np.float32]:
        """Give the signals of all memories; contexts move none of them, so they are kept until there is a use."""
        known = self._measured
        if self.uses and (known.uses != self.uses or known.at != at):
            signals = measure(self._statistics, at, np.arange(self._statistics.memories))
            known = self._measured = _Measured(self.uses, at, signals)
        return known.signals

    def _gap(self, at: float) -> float:
        return max(0.0, at - float(self._statistics.times[-1])) if self.uses else 0.0

    def _settle(self, made: _Unsettled) -> None:
        """Check what was predicted AHEAD uses ago."""
        came_true = (made.items[:, None] == self._statistics.items[-AHEAD:]).any(axis=1)
        self._shared.settle(self._user, made.described, came_true)


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    chances = np.exp(scores - scores.max(initial=-np.inf))
    return chances / chances.sum()
