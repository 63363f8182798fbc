"""Whether feedback improves the ranking of the questions that come after it, and whether noise can spoil it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pronoia.benchmark.metrics import METRICS, measure_ranking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pronoia.benchmark.locomo import Conversation, Question

DEPTH = 10
NDCG = METRICS.index("nDCG@10")


class Judge(StrEnum):
    """Who gives feedback after each question."""

    EVIDENCE = "on the turns that hold the evidence"
    RANDOM_SHOWN = "on random turns of those shown"
    RANDOM = "on random turns"


class LearningSystem(Protocol):
    """What is measured. A user a conversation; a memory is named by the id of its turn."""

    async def remember(self, conversation: Conversation) -> None:
        """Store a conversation for a user of its own."""
        ...

    async def ask(self, conversation: Conversation, question: Question, *, adaptive: bool) -> list[str]:
        """Give the ids of the first ten turns, with what the user taught the ranker or without."""
        ...

    async def judge(self, conversation: Conversation, question: Question, turn_id: str) -> None:
        """Say that a turn helped with a question."""
        ...

    async def settled(self, conversation: Conversation) -> bool:
        """Wait until all judgements are learned from; give whether the user's own weights are served now."""
        ...


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """One entry a question, in the order in which they were asked."""

    learning: NDArray[np.float64]
    """nDCG@10 with what was learned from the questions before, in [0, 1]."""
    fixed: NDArray[np.float64]
    """The same of the prior."""
    progress: NDArray[np.float64]
    """Where in its conversation the question came, in [0, 1)."""
    served: NDArray[np.bool_]
    """Whether the user's own weights ranked it."""

    @property
    def second_half(self) -> NDArray[np.bool_]:
        """Mark the second half of each conversation's questions."""
        return self.progress >= 0.5  # noqa: PLR2004  # a half


async def evaluate_learning(
    system: LearningSystem,
    conversations: Sequence[Conversation],
    judge: Judge,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> LearningCurve:
    """Ask each conversation's questions in random order, each followed by feedback; `advance` is called once each.

    Noise judges as many turns as hold the evidence.
    """
    order, noise = (np.random.default_rng((seed, purpose)) for purpose in range(2))
    rows: list[tuple[float, float, float, bool]] = []
    for conversation in conversations:
        await system.remember(conversation)
        served = False
        questions = _shuffled(conversation.questions, order)
        for place, question in enumerate(questions):
            fixed = await system.ask(conversation, question, adaptive=False)
            learned = await system.ask(conversation, question, adaptive=True)
            rows.append((_quality(learned, question), _quality(fixed, question), place / len(questions), served))
            for turn_id in _judged(conversation, question, learned, judge, noise):
                await system.judge(conversation, question, turn_id)
            served = await system.settled(conversation)
            advance()
    columns = np.array(rows, dtype=np.float64).T
    return LearningCurve(columns[0], columns[1], columns[2], columns[3].astype(np.bool_))


def _shuffled(questions: Sequence[Question], generator: np.random.Generator) -> list[Question]:
    order: list[int] = generator.permutation(len(questions)).tolist()
    return [questions[place] for place in order]


def _quality(found: list[str], question: Question) -> float:
    places = [place for place, turn_id in enumerate(found) if turn_id in question.evidence]
    return float(measure_ranking(places, len(question.evidence))[NDCG])


def _judged(
    conversation: Conversation, question: Question, shown: list[str], judge: Judge, generator: np.random.Generator
) -> Sequence[str]:
    if judge is Judge.EVIDENCE:
        return question.evidence
    among = shown if judge is Judge.RANDOM_SHOWN else [turn.id for turn in conversation.turns]
    chosen: list[int] = generator.choice(len(among), min(len(question.evidence), len(among)), replace=False).tolist()
    return [among[place] for place in chosen]
