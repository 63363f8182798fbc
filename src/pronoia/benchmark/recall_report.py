"""Tables of a recall evaluation, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronoia.benchmark.locomo import CATEGORIES
from pronoia.benchmark.metrics import METRICS, bootstrap
from pronoia.benchmark.recall_evaluation import BM25, LEARNED, SUM, VECTORS
from pronoia.recall.signals import SIGNALS

if TYPE_CHECKING:
    from pronoia.benchmark.metrics import Interval
    from pronoia.benchmark.recall_evaluation import Evaluation

TARGETS = {"R@5": 71.0, "R@10": 78.0, "nDCG@10": 63.0}
"""What the learned ranker must reach on conversations left out, in per cent."""
CATEGORY_METRIC = "R@10"


@dataclass(frozen=True, slots=True)
class Table:
    """Text in cells, ready to be drawn."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RecallReport:
    """What an evaluation found; means in per cent with 95 % bootstrap intervals over questions."""

    questions: int
    conversations: int
    memories: int
    means: dict[str, dict[str, Interval]]
    """By ranker, then by metric."""
    gains: dict[str, dict[str, Interval]]
    """The learned ranker minus another, question by question; by the other, then by metric."""
    categories: dict[str, dict[str, float]]
    """R@10 by ranker, then by category."""
    left_out: dict[str, dict[str, float]]
    """The learned ranker's means in per cent, by conversation left out, then by metric."""
    weights: dict[str, dict[str, float]]
    """By conversation left out, then by signal."""

    @property
    def reached(self) -> bool:
        """Whether every target is met by weights that never saw the conversation."""
        learned = self.means[LEARNED]
        return all(learned[metric].mean >= target for metric, target in TARGETS.items())

    def tables(self) -> list[Table]:
        """Lay out everything but the weights."""
        categories = tuple(CATEGORIES.values())
        return [
            Table(
                f"{self.questions} questions, {self.memories} memories of {self.conversations} users; "
                "per cent [95 % interval]",
                ("ranker", *METRICS),
                [(name, *(_interval(by[metric]) for metric in METRICS)) for name, by in self.means.items()],
            ),
            Table(
                f"{LEARNED}, minus another ranker on the same question",
                ("minus", *METRICS),
                [
                    (name, *(_interval(by[metric], signed=True) for metric in METRICS))
                    for name, by in self.gains.items()
                ],
            ),
            Table(
                f"{CATEGORY_METRIC} by category",
                ("ranker", *categories),
                [
                    (name, *(f"{by[one]:.1f}" if one in by else "-" for one in categories))
                    for name, by in self.categories.items()
                ],
            ),
            Table(
                f"{LEARNED}: each by weights of the others",
                ("conversation", *METRICS),
                [(name, *(f"{by[metric]:.1f}" for metric in METRICS)) for name, by in self.left_out.items()],
            ),
        ]


def report(evaluation: Evaluation) -> RecallReport:
    """Summarise an evaluation. The same evaluation always gives the same report."""
    values = evaluation.values
    place = METRICS.index(CATEGORY_METRIC)
    return RecallReport(
        questions=len(evaluation.categories),
        conversations=evaluation.conversations,
        memories=evaluation.memories,
        means={name: _by_metric(bootstrap(these)) for name, these in values.items()},
        gains={name: _by_metric(bootstrap(values[LEARNED] - values[name])) for name in (BM25, VECTORS, SUM)},
        categories={
            name: {
                category: float(these[evaluation.categories == number, place].mean() * 100)
                for number, category in CATEGORIES.items()
                if (evaluation.categories == number).any()
            }
            for name, these in values.items()
        },
        left_out={
            name: dict(
                zip(METRICS, map(float, values[LEARNED][evaluation.asked_of == name].mean(axis=0) * 100), strict=True)
            )
            for name in evaluation.weights
            if (evaluation.asked_of == name).any()
        },
        weights={
            left_out: dict(zip(SIGNALS, map(float, weights), strict=True))
            for left_out, weights in evaluation.weights.items()
        },
    )


def _by_metric(intervals: list[Interval]) -> dict[str, Interval]:
    return dict(zip(METRICS, intervals, strict=True))


def _interval(interval: Interval, *, signed: bool = False) -> str:
    if signed:
        return f"{interval.mean:+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]"
    return f"{interval.mean:.1f} [{interval.low:.1f}, {interval.high:.1f}]"
