"""How much of the evidence recall finds, measured on conversations that its weights have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pronoia.benchmark.metrics import METRICS, measure_ranking
from pronoia.learning.fitting import Choice, fit_choices
from pronoia.recall.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pronoia.benchmark.locomo import Conversation, Question

PENALTY = 1e-3
SEARCH_DEPTH = 100
"""Results asked of the service; evidence below counts as not found."""
BM25 = "BM25 alone"
VECTORS = "vectors alone"
SUM = "sum of z-scores"
LEARNED = "learned, leave one conversation out"
SHIPPED = "shipped prior, as served"


@dataclass(frozen=True, slots=True)
class Measured:
    """The signals of all memories of a user for one question."""

    turn_ids: Sequence[str]
    """In the order of the conversation: what scores alike is ranked so, and not as another ranker would."""
    standardised: NDArray[np.float32]
    """Mean 0 and deviation 1 over the memories, in the order of SIGNALS; (len(turn_ids), len(SIGNALS))."""


class RecallSystem(Protocol):
    """What is measured. A user a conversation; a memory is named by the id of its turn."""

    async def remember(self, conversation: Conversation) -> None:
        """Store a conversation for a user of its own."""
        ...

    async def measure(self, conversation: Conversation, question: Question) -> Measured:
        """Give the signals that the ranker sees."""
        ...

    async def search(self, conversation: Conversation, question: Question, limit: int) -> list[str]:
        """Search as a caller does, without a minimum score; ids of turns, best first."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """METRICS of every question by every ranker, in the order in which the questions were asked."""

    values: dict[str, NDArray[np.float64]]
    """By ranker; (questions, len(METRICS)), each in [0, 1]."""
    categories: NDArray[np.int64]
    asked_of: NDArray[np.str_]
    """The id of each question's conversation."""
    conversations: int
    memories: int
    weights: dict[str, NDArray[np.float64]]
    """By conversation: what was fitted on all others."""


async def evaluate(
    system: RecallSystem, conversations: Sequence[Conversation], advance: Callable[[], None] = lambda: None
) -> Evaluation:
    """Store every conversation, ask every question, and rank by each ranker; `advance` is called once a question.

    Raises ValueError if there are fewer than two conversations: one would be tested with weights fitted on itself.
    """
    if len(conversations) < 2:  # noqa: PLR2004  # one to test, one to fit on
        raise ValueError("Leaving one conversation out needs at least two.")
    for conversation in conversations:
        await system.remember(conversation)
    asked: list[_Asked] = []
    for conversation in conversations:
        for question in conversation.questions:
            asked.append(await _ask(system, conversation, question))
            advance()
    weights = {one.id: _fit_without(asked, one.id) for one in conversations}
    return Evaluation(
        values={
            BM25: _by_weights(asked, lambda _: _only("words")),
            VECTORS: _by_weights(asked, lambda _: _only("meaning")),
            SUM: _by_weights(asked, lambda _: _only("words", "meaning")),
            LEARNED: _by_weights(asked, lambda one: weights[one.conversation_id]),
            SHIPPED: np.array([measure_ranking(one.found, len(one.choice.right)) for one in asked]),
        },
        categories=np.array([one.category for one in asked]),
        asked_of=np.array([one.conversation_id for one in asked]),
        conversations=len(conversations),
        memories=sum(len(one.turns) for one in conversations),
        weights=weights,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    conversation_id: str
    category: int
    choice: Choice
    found: list[int]
    """Places of the evidence among the results of the service."""


async def _ask(system: RecallSystem, conversation: Conversation, question: Question) -> _Asked:
    measured = await system.measure(conversation, question)
    place_of = {turn_id: place for place, turn_id in enumerate(measured.turn_ids)}
    results = await system.search(conversation, question, SEARCH_DEPTH)
    return _Asked(
        conversation.id,
        question.category,
        Choice(measured.standardised, np.array([place_of[turn_id] for turn_id in question.evidence])),
        [place for place, turn_id in enumerate(results) if turn_id in question.evidence],
    )


def _fit_without(asked: Sequence[_Asked], conversation_id: str) -> NDArray[np.float64]:
    return fit_choices([one.choice for one in asked if one.conversation_id != conversation_id], PENALTY)


def _only(*names: str) -> NDArray[np.float64]:
    return np.array([float(name in names) for name in SIGNALS])


def _by_weights(asked: Sequence[_Asked], weights_for: Callable[[_Asked], NDArray[np.float64]]) -> NDArray[np.float64]:
    measured = np.empty((len(asked), len(METRICS)))
    for at, one in enumerate(asked):
        scores = one.choice.candidates @ weights_for(one)
        order = np.argsort(-scores, kind="stable")
        places = np.flatnonzero(np.isin(order, one.choice.right))
        measured[at] = measure_ranking(places.tolist(), len(one.choice.right))
    return measured
