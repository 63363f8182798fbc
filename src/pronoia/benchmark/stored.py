"""The whole product but its network: real services on a real store, asked as its callers ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pronoia.benchmark.recall_evaluation import Measured
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope
from pronoia.domain.records import Filters
from pronoia.recall.signals import SIGNALS
from pronoia.services.drafts import MAXIMUM_BATCH
from pronoia.services.recall import SearchRequest
from pronoia.services.suggest import SuggestRequest

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.benchmark.locomo import Conversation, Question
    from pronoia.services.services import Services


class StoredSystem:
    """A RecallSystem and a SuggestionSystem. What the ranker sees is what it explains of its results."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turn_ids: dict[UUID, str] = {}

    async def remember(self, conversation: Conversation) -> None:
        """Store a conversation for a user of its own, in batches."""
        for first in range(0, len(conversation.turns), MAXIMUM_BATCH):
            turns = conversation.turns[first : first + MAXIMUM_BATCH]
            written = await self._services.memories.add(_scope(conversation), [turn.draft() for turn in turns])
            self._turn_ids.update((memory.id, turn.id) for memory, turn in zip(written.memories, turns, strict=True))

    async def measure(self, conversation: Conversation, question: Question) -> Measured:
        """Ask for an explanation of every memory."""
        request = SearchRequest(question.text, Filters(), limit=len(conversation.turns), min_score=0.0, explain=True)
        found = await self._services.recall.search(_scope(conversation), request)
        standardised = [
            [part["standardised"] for part in (hit.explanation or ())[: len(SIGNALS)]] for hit in found.hits
        ]
        return Measured([self._turn_ids[hit.memory.id] for hit in found.hits], np.array(standardised, dtype=np.float32))

    async def search(self, conversation: Conversation, question: Question, limit: int) -> list[str]:
        """Search as a caller does, without a minimum score."""
        request = SearchRequest(question.text, Filters(), limit=limit, min_score=0.0)
        found = await self._services.recall.search(_scope(conversation), request)
        return [self._turn_ids[hit.memory.id] for hit in found.hits]

    async def suggest(self, conversation: Conversation, context: str, limit: int) -> list[str] | None:
        """Suggest as a caller gets it by default; None if chance withheld the answer."""
        suggested = await self._services.suggest.suggest(_scope(conversation), SuggestRequest(context, limit=limit))
        return None if suggested.withheld else [self._turn_ids[one.memory.id] for one in suggested.suggestions]


def _scope(conversation: Conversation) -> Scope:
    return Scope(DEFAULT_ORGANISATION, f"benchmark-{conversation.id}")
