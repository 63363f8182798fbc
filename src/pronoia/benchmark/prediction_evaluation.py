"""How well the next use is predicted: one pass in the order of time, the last fifth of each user's uses tested."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pronoia.benchmark.metrics import Interval
from pronoia.benchmark.prediction_baselines import BASELINES, BaselineUser, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pronoia.benchmark.events import Event

METRICS = ("hr@1", "hr@5", "hr@10", "mrr@10")
PRONOIA = "pronoia"
LEAST_USES = 20
TESTED_FROM = 0.8
DEPTH = 10
"""Predictions asked for, and accesses within which a confident one should come true."""
BINS = 10
PARTS = 10
"""Stretches of test steps whose accuracy is shown over time."""


class PredictionSystem(Protocol):
    """What is measured."""

    async def observe(self, user: str, item: str, at: float) -> None:
        """Tell of one use (seconds since the epoch)."""
        ...

    async def predict(self, user: str, at: float, limit: int) -> Sequence[tuple[str, float]]:
        """Ask what comes next: items, best first, each with its confidence in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Predictions whose confidence lies in one tenth of [0, 1]."""

    predictions: int
    confidence: float
    came_true: float
    """Mean confidence, and share of those used within the next ten accesses."""


@dataclass(frozen=True, slots=True)
class PredictionEvaluation:
    """Every method on the same steps."""

    values: dict[str, NDArray[np.float64]]
    """METRICS of each test step, by method; (steps, len(METRICS))."""
    users: NDArray[np.intp]
    """Whose step each was; (steps,)."""
    reliability: list[ReliabilityBin]

    def means(self, method: str) -> dict[str, float]:
        """Give METRICS over all steps, as fractions."""
        return dict(zip(METRICS, self.values[method].mean(axis=0).tolist(), strict=True))

    @property
    def ece(self) -> float:
        """Expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
        total = sum(one.predictions for one in self.reliability)
        gaps = sum(one.predictions * abs(one.confidence - one.came_true) for one in self.reliability)
        return gaps / total if total else 0.0

    @property
    def accuracy_over_time(self) -> list[dict[str, float]]:
        """Give METRICS of consecutive stretches of test steps, oldest first."""
        parts = np.array_split(self.values[PRONOIA], min(PARTS, len(self.users)))
        return [dict(zip(METRICS, part.mean(axis=0).tolist(), strict=True)) for part in parts]

    def intervals(self) -> dict[str, Interval]:
        """Give the 95 % interval of each metric, in fractions, resampling users."""
        return self._resampled(self.values[PRONOIA])

    def gains(self) -> dict[str, Interval]:
        """Give the paired difference to the best single baseline of each metric, in fractions, resampling users."""
        means = np.array([self.values[name].mean(axis=0) for name in BASELINES])
        best = means.argmax(axis=0)
        rivals = np.column_stack([self.values[BASELINES[row]][:, at] for at, row in enumerate(best.tolist())])
        return self._resampled(self.values[PRONOIA] - rivals)

    def _resampled(self, values: NDArray[np.float64]) -> dict[str, Interval]:
        """Resample users with all their steps: a mean over steps is a ratio of sums over users."""
        owners, position = np.unique(self.users, return_inverse=True)
        sums = np.array([np.bincount(position, column, len(owners)) for column in values.T])
        steps = np.bincount(position, minlength=len(owners))
        weights = np.random.default_rng(0).multinomial(len(owners), np.full(len(owners), 1 / len(owners)), size=2_000)
        means = (weights @ sums.T) / (weights @ steps)[:, None]
        low, high = np.percentile(means, [2.5, 97.5], axis=0)
        return {
            name: Interval(float(values[:, at].mean()), float(low[at]), float(high[at]))
            for at, name in enumerate(METRICS)
        }

    def to_json(self) -> dict[str, object]:
        """Give one object: a key a method, and for pronoia also how sure it is and how sure we are."""
        methods: dict[str, object] = {name: self.means(name) for name in BASELINES}
        own: dict[str, object] = {
            **self.means(PRONOIA),
            "ece": self.ece,
            "intervals": {name: [one.low, one.high] for name, one in self.intervals().items()},
            "gain_over_best_baseline": {
                name: {"mean": one.mean, "interval": [one.low, one.high]} for name, one in self.gains().items()
            },
            "reliability": [
                {"predictions": one.predictions, "confidence": one.confidence, "came_true": one.came_true}
                for one in self.reliability
            ],
            "accuracy_over_time": self.accuracy_over_time,
            "steps": len(self.users),
        }
        return {PRONOIA: own, **methods}


@dataclass(slots=True)
class _User:
    total: int
    number: int
    rules: BaselineUser = field(default_factory=BaselineUser)
    items: list[str] = field(default_factory=list[str])
    predicted: list[tuple[int, list[tuple[str, float]]]] = field(
        default_factory=list[tuple[int, list[tuple[str, float]]]]
    )


async def evaluate(
    system: PredictionSystem, events: Sequence[Event], advance: Callable[[], None] = lambda: None
) -> PredictionEvaluation:
    """Play events (ordered by time) to the system and to the baselines; `advance` is called once an event.

    Users with fewer than 20 uses are left out. Calibration counts the predictions that have ten accesses after them.
    Raises ValueError if no user has enough.
    """
    totals = Counter(event.user for event in events)
    users = {user: _User(total, number) for number, (user, total) in enumerate(totals.items()) if total >= LEAST_USES}
    if not users:
        raise ValueError(f"No user has {LEAST_USES} uses.")
    places: dict[str, list[float]] = defaultdict(list)
    tested: list[int] = []
    for event in events:
        advance()
        user = users.get(event.user)
        if user is None:
            continue
        if len(user.items) >= int(TESTED_FROM * user.total):
            tested.append(user.number)
            await _test(system, user, event, places)
        await system.observe(event.user, event.item, event.at)
        user.rules.observe(event.item, event.at)
        user.items.append(event.item)
    return PredictionEvaluation(
        values={name: _measures(np.array(those)) for name, those in places.items()},
        users=np.array(tested, dtype=np.intp),
        reliability=_reliability(list(users.values())),
    )


async def _test(system: PredictionSystem, user: _User, event: Event, places: dict[str, list[float]]) -> None:
    predicted = list(await system.predict(event.user, event.at, DEPTH))[:DEPTH]
    user.predicted.append((len(user.items), predicted))
    named = [item for item, _ in predicted]
    places[PRONOIA].append(float(named.index(event.item)) if event.item in named else np.inf)
    number = user.rules.numbers.get(event.item)
    for name, scores in user.rules.scores(event.at).items():
        places[name].append(place_of(scores, number))


def _measures(places: NDArray[np.float64]) -> NDArray[np.float64]:
    reciprocal = np.where(places < DEPTH, 1 / (places + 1), 0)
    hits = [(places < depth).astype(np.float64) for depth in (1, 5, DEPTH)]
    return np.column_stack([*hits, reciprocal])


def _reliability(users: Sequence[_User]) -> list[ReliabilityBin]:
    judged = [
        (confidence, item in set(user.items[step : step + DEPTH]))
        for user in users
        for step, predicted in user.predicted
        if step + DEPTH <= len(user.items)
        for item, confidence in predicted
    ]
    confidence, came_true = np.array(judged, dtype=np.float64).reshape(-1, 2).T
    place = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    held = np.maximum(counts, 1)
    means = np.bincount(place, confidence, BINS) / held
    shares = np.bincount(place, came_true, BINS) / held
    return [
        ReliabilityBin(count, mean, share)
        for count, mean, share in zip(counts.tolist(), means.tolist(), shares.tolist(), strict=True)
    ]
