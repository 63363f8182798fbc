"""Learning through the real services on a real store, asked and told as callers do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Filters, Permission, Plan
from pronoia.services.drafts import MAXIMUM_BATCH
from pronoia.services.recall import SearchRequest

if TYPE_CHECKING:
    from pronoia.benchmark.locomo import Conversation, Question
    from pronoia.services.services import Services

USER = "benchmark"


class StoredLearningSystem:
    """A LearningSystem. Each conversation has an organisation of its own: no user profits from another."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._scopes: dict[str, Scope] = {}
        self._turn_ids: dict[UUID, str] = {}
        self._memory_ids: dict[tuple[str, str], UUID] = {}

    async def remember(self, conversation: Conversation) -> None:
        """Store a conversation, in batches."""
        scope = self._scopes[conversation.id] = Scope(uuid4(), USER)
        await self._services.keys.create(
            user_id=USER, plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
        )
        for first in range(0, len(conversation.turns), MAXIMUM_BATCH):
            turns = conversation.turns[first : first + MAXIMUM_BATCH]
            written = await self._services.memories.add(scope, [turn.draft() for turn in turns])
            for memory, turn in zip(written.memories, turns, strict=True):
                self._turn_ids[memory.id] = turn.id
                self._memory_ids[conversation.id, turn.id] = memory.id

    async def ask(self, conversation: Conversation, question: Question, *, adaptive: bool) -> list[str]:
        """Search without a minimum score."""
        request = SearchRequest(question.text, Filters(), min_score=0.0, adaptive_weights=adaptive)
        found = await self._services.recall.search(self._scopes[conversation.id], request)
        return [self._turn_ids[hit.memory.id] for hit in found.hits]

    async def judge(self, conversation: Conversation, question: Question, turn_id: str) -> None:
        """Give feedback whose context is the question."""
        await self._services.memories.feedback(
            self._scopes[conversation.id],
            self._memory_ids[conversation.id, turn_id],
            helpful=True,
            context=question.text,
            satisfaction=None,
        )

    async def settled(self, conversation: Conversation) -> bool:
        """Wait for the learner, and ask whether its weights are served."""
        await self._services.ranking_weights.settled()
        return await self._services.ranking_weights.of(self._scopes[conversation.id]) is not None
