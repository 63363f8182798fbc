"""How well what is needed next is named from content alone, without any history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pronoia.benchmark.in_memory import build_working_set
from pronoia.benchmark.metrics import bootstrap_groups
from pronoia.learning.fitting import Choice, fit_choices
from pronoia.memory.analyzer import query_terms
from pronoia.prediction.content import CONTENT_SIGNALS, measure_content
from pronoia.services.drafts import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pronoia.benchmark.metrics import Interval
    from pronoia.benchmark.proact import Scenario, Step
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.embedder import Embedder

CONTENT_METRICS = ("hit@1", "hit@5", "MRR")
FITTED_SIGNALS = CONTENT_SIGNALS[:6]
"""Those that the data has something of: it knows neither sessions nor tags, projects or relationships."""
PENALTY = 1e-2
FOLDS = 10
FIRST = 5
PRONOIA = "pronoia"
LEARNED = "learned, scenarios left out"
RANDOM = "random"
BM25 = "bm25"
VECTORS = "vectors"
ORDER = "storage_order"


class ContentSystem(Protocol):
    """What is measured. A user a scenario; a memory is named by the id of its fact."""

    async def remember(self, scenario: Scenario) -> None:
        """Store the facts in order for a user of its own."""
        ...

    async def predict(self, scenario: Scenario, step: Step) -> list[str]:
        """Predict as a caller does, from a fresh history and without a minimum; ids of facts, best first."""
        ...


@dataclass(frozen=True, slots=True)
class ContentEvaluation:
    """CONTENT_METRICS of every step by every ranker."""

    values: dict[str, NDArray[np.float64]]
    """By ranker; (steps, len(CONTENT_METRICS)), each in [0, 1]."""
    scenarios: NDArray[np.int64]
    """The number of each step's scenario."""

    def intervals(self, ranker: str) -> dict[str, Interval]:
        """Give means in per cent with 95 % bootstrap intervals over scenarios."""
        return dict(zip(CONTENT_METRICS, bootstrap_groups(self.values[ranker], self.scenarios), strict=True))

    def gains(self, other: str) -> dict[str, Interval]:
        """Give what Pronoia has more than another ranker, step by step."""
        differences = self.values[PRONOIA] - self.values[other]
        return dict(zip(CONTENT_METRICS, bootstrap_groups(differences, self.scenarios), strict=True))


async def evaluate_content(
    system: ContentSystem,
    scenarios: Sequence[Scenario],
    embedder: Embedder,
    advance: Callable[[], None] = lambda: None,
) -> ContentEvaluation:
    """Store every scenario, predict every step, and rank it by each baseline; `advance` is called once a step.

    The embedder is that of the baselines and of the weights that are fitted on the other scenarios. Raises ValueError
    if there is only one scenario: nothing is left to fit on.
    """
    served: list[NDArray[np.float64]] = []
    for scenario in scenarios:
        await system.remember(scenario)
        for step in scenario.steps:
            found = await system.predict(scenario, step)
            served.append(_measure([place for place, fact in enumerate(found) if fact in step.wanted]))
            advance()
    asked = await ask_content(scenarios, embedder)
    learned = learned_without_own(asked)
    return ContentEvaluation(
        values={
            PRONOIA: np.array(served),
            LEARNED: np.array([_ranked(one, learned[one.scenario % FOLDS]) for one in asked]),
            BM25: np.array([_ranked(one, _only("words")) for one in asked]),
            VECTORS: np.array([_ranked(one, _only("meaning", "meaning_of_recent")) for one in asked]),
            ORDER: np.array([_ranked(one, _only("distance")) for one in asked]),
            RANDOM: np.array([_by_chance(one) for one in asked]),
        },
        scenarios=np.array([one.scenario for one in asked]),
    )


@dataclass(frozen=True, slots=True)
class AskedContent:
    """One step: the signals of the facts that are not recent, and which of them are wanted."""

    scenario: int
    choice: Choice


async def ask_content(scenarios: Sequence[Scenario], embedder: Embedder) -> list[AskedContent]:
    """Measure the FITTED_SIGNALS of every step in working sets alone."""
    asked: list[AskedContent] = []
    for number, scenario in enumerate(scenarios):
        held = await build_working_set(embedder, scenario.id, [Draft(fact.text) for fact in scenario.facts])
        asked += [AskedContent(number, await _choice(held, scenario, step, embedder)) for step in scenario.steps]
    return asked


def learned_without_own(asked: Sequence[AskedContent]) -> list[NDArray[np.float64]]:
    """Fit the weights FOLDS times, each without the scenarios whose number modulo FOLDS is its own."""
    return [
        fit_choices([one.choice for one in asked if one.scenario % FOLDS != fold], PENALTY) for fold in range(FOLDS)
    ]


async def _choice(held: WorkingSet, scenario: Scenario, step: Step, embedder: Embedder) -> Choice:
    row_of = {fact.id: row for row, fact in enumerate(scenario.facts)}
    recent = [row_of[fact] for fact in step.recent]
    (vector,) = await embedder.embed([step.context])
    signals = measure_content(held, query_terms(step.context), np.frombuffer(vector.values, dtype="<f4"), recent)
    rows = np.setdiff1d(np.arange(held.size), recent)
    wanted = np.flatnonzero(np.isin(rows, [row_of[fact] for fact in step.wanted]))
    return Choice(signals.values[: len(FITTED_SIGNALS), rows].T, wanted)


def _only(*names: str) -> NDArray[np.float64]:
    return np.array([float(name in names) for name in FITTED_SIGNALS])


def _ranked(one: AskedContent, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(-(one.choice.candidates @ weights), kind="stable")
    return _measure(np.flatnonzero(np.isin(order, one.choice.right)).tolist())


def _measure(places: Sequence[int]) -> NDArray[np.float64]:
    """Give CONTENT_METRICS from the places at which wanted facts came, counted from 0."""
    if not places:
        return np.zeros(len(CONTENT_METRICS))
    best = min(places)
    return np.array([float(best == 0), float(best < FIRST), 1 / (best + 1)])


def _by_chance(one: AskedContent) -> NDArray[np.float64]:
    """Expect CONTENT_METRICS of a random order: `later` holds the chances that none is among the first k."""
    count, wanted = len(one.choice.candidates), len(one.choice.right)
    drawn = np.arange(count)
    later = np.concatenate(([1.0], np.cumprod(np.maximum(count - wanted - drawn, 0) / (count - drawn))))
    first = later[:-1] - later[1:]
    return np.array([first[0], first[:FIRST].sum(), (first / (drawn + 1)).sum()])
