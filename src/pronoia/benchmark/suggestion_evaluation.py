"""Whether suggestions come when the memory has something, and stay away when it has nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pronoia.benchmark.metrics import bootstrap_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pronoia.benchmark.locomo import Conversation
    from pronoia.benchmark.metrics import Interval

UNRELATED_CONTEXTS = 500
SUGGESTIONS = 5
SILENCE_TARGET = 90.0
EVIDENCE_TARGET = 60.0


class SuggestionSystem(Protocol):
    """What is measured. A user a conversation; a memory is named by the id of its turn."""

    async def remember(self, conversation: Conversation) -> None:
        """Store a conversation for a user of its own."""
        ...

    async def suggest(self, conversation: Conversation, context: str, limit: int) -> list[str] | None:
        """Suggest as a caller gets it by default, ids of turns; None for an answer that was withheld by chance."""
        ...


@dataclass(frozen=True, slots=True)
class SuggestionEvaluation:
    """Means in per cent with 95 % bootstrap intervals over conversations. Withheld answers count for nothing."""

    evidence: Interval
    """Of the user's own questions, those with at least one evidence turn among the suggestions."""
    silence: Interval
    """Of contexts from other conversations, those without a suggestion."""
    own_silence: Interval
    """Of the user's own questions, those without a suggestion."""
    questions: int
    unrelated: int
    withheld: int

    @property
    def reached(self) -> bool:
        return self.evidence.mean >= EVIDENCE_TARGET and self.silence.mean >= SILENCE_TARGET


async def evaluate_suggestions(
    system: SuggestionSystem,
    conversations: Sequence[Conversation],
    advance: Callable[[], None] = lambda: None,
    *,
    unrelated: int = UNRELATED_CONTEXTS,
    seed: int = 0,
) -> SuggestionEvaluation:
    """Ask every user their own questions, and `unrelated` in all that were asked of others; `advance` once a context.

    Raises ValueError if there are fewer than two conversations.
    """
    if len(conversations) < 2:  # noqa: PLR2004  # one's own, and another's
        raise ValueError("Contexts from other conversations need at least two.")
    for conversation in conversations:
        await system.remember(conversation)
    own: list[tuple[int, float, float]] = []
    foreign: list[tuple[int, float]] = []
    withheld = 0
    for number, conversation in enumerate(conversations):
        for question in conversation.questions:
            found = await system.suggest(conversation, question.text, SUGGESTIONS)
            advance()
            withheld += found is None
            if found is not None:
                own.append((number, float(not set(question.evidence).isdisjoint(found)), float(not found)))
    for number, text in _questions_of_others(conversations, unrelated, seed):
        found = await system.suggest(conversations[number], text, SUGGESTIONS)
        advance()
        withheld += found is None
        if found is not None:
            foreign.append((number, float(not found)))
    evidence, own_silence = _intervals(np.array(own))
    (silence,) = _intervals(np.array(foreign))
    return SuggestionEvaluation(evidence, silence, own_silence, len(own), len(foreign), withheld)


def _questions_of_others(conversations: Sequence[Conversation], count: int, seed: int) -> list[tuple[int, str]]:
    """Choose contexts, each with the number of a conversation that it is not of; alike for the same seed."""
    chosen = random.Random(seed)  # noqa: S311  # a sample, not a secret
    drawn: list[tuple[int, str]] = []
    for _ in range(count):
        asked, other = chosen.sample(range(len(conversations)), 2)
        drawn.append((asked, chosen.choice(conversations[other].questions).text))
    return drawn


def _intervals(outcomes: NDArray[np.float64]) -> list[Interval]:
    """Take the conversation's number from the first column."""
    groups = np.unique(outcomes[:, 0], return_inverse=True)[1].astype(np.int64)
    return bootstrap_groups(outcomes[:, 1:], groups)
