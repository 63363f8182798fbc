"""Tables of a learning evaluation, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pronoia.benchmark.learning_evaluation import Judge
from pronoia.benchmark.metrics import bootstrap
from pronoia.benchmark.recall_report import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pronoia.benchmark.learning_evaluation import LearningCurve
    from pronoia.benchmark.metrics import Interval

EQUAL = "equal weights"
SHIPPED = "shipped prior"
LEAST_GAIN = 5.0
"""Points of nDCG@10 that learning must add to equal weights on the second half of the questions."""
MOST_HARM = 0.5
"""Points that noise may cost."""
TENTHS = 10


@dataclass(frozen=True, slots=True)
class LearningRun:
    """One start and one judge; nDCG@10 in per cent with 95 % bootstrap intervals over questions."""

    start: str
    judge: str
    questions: int
    fixed: Interval
    """Without learning, second half of each conversation's questions."""
    learning: Interval
    gain: Interval
    """The paired difference."""
    gain_overall: Interval
    """The same on all questions."""
    served: float
    """Share of all questions that the user's own weights ranked."""
    gain_by_tenth: list[float]
    """The gain in each tenth of the questions, in the order in which they were asked."""

    @property
    def reached(self) -> bool:
        """Whether the run shows what the project promises of it."""
        if self.judge != Judge.EVIDENCE:
            return self.gain.mean >= -MOST_HARM and self.gain_overall.mean >= -MOST_HARM
        if self.start == EQUAL:
            return self.gain.mean >= LEAST_GAIN and self.gain.low > 0
        return self.gain.mean >= 0


@dataclass(frozen=True, slots=True)
class LearningReport:
    """All runs, and the seed that makes them again."""

    seed: int
    conversations: int
    runs: list[LearningRun]

    @property
    def reached(self) -> bool:
        """Whether every run shows what is promised."""
        return all(run.reached for run in self.runs)

    def tables(self) -> list[Table]:
        """Lay out the runs, and how each went over time."""
        return [
            Table(
                f"nDCG@10 on the second half of each conversation's questions, {self.conversations} users, seed "
                f"{self.seed}; per cent [95 % interval]",
                ("start", "feedback", "not learning", "learning", "gain", "gain, all questions", "own weights served"),
                [
                    (
                        run.start,
                        run.judge,
                        f"{run.fixed.mean:.1f}",
                        f"{run.learning.mean:.1f}",
                        _signed(run.gain),
                        _signed(run.gain_overall),
                        f"{run.served * 100:.0f} %",
                    )
                    for run in self.runs
                ],
            ),
            Table(
                "Gain by tenth of the questions, in the order in which they were asked",
                ("start", "feedback", *(f"{tenth}." for tenth in range(1, TENTHS + 1))),
                [(run.start, run.judge, *(f"{gain:+.1f}" for gain in run.gain_by_tenth)) for run in self.runs],
            ),
        ]


def report_learning(curves: Mapping[tuple[str, Judge], LearningCurve], conversations: int, seed: int) -> LearningReport:
    """Summarise runs, named by where they started and who judged. The same curves always give the same report."""
    return LearningReport(seed, conversations, [_run(start, judge, curve) for (start, judge), curve in curves.items()])


def _run(start: str, judge: Judge, curve: LearningCurve) -> LearningRun:
    late = curve.second_half
    gains = curve.learning - curve.fixed
    tenths = np.minimum((curve.progress * TENTHS).astype(np.intp), TENTHS - 1)
    return LearningRun(
        start=start,
        judge=judge.value,
        questions=len(gains),
        fixed=_interval(curve.fixed[late]),
        learning=_interval(curve.learning[late]),
        gain=_interval(gains[late]),
        gain_overall=_interval(gains),
        served=float(curve.served.mean()),
        gain_by_tenth=[
            float(gains[tenths == tenth].mean() * 100) if (tenths == tenth).any() else 0.0 for tenth in range(TENTHS)
        ],
    )


def _interval(values: NDArray[np.float64]) -> Interval:
    return bootstrap(values[:, None])[0]


def _signed(interval: Interval) -> str:
    return f"{interval.mean:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"
