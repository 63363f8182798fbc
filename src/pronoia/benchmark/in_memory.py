"""The ranker on working sets alone, without services or a store: for fitting the prior, and for quick looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from pronoia.benchmark.recall_evaluation import Measured
from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.records import Memory, NewMemory
from pronoia.memory import snapshots
from pronoia.memory.analyzer import analyze
from pronoia.memory.working_set import WorkingSet
from pronoia.recall.dates import date_words
from pronoia.recall.query import Query
from pronoia.recall.ranking import RankingOptions, rank
from pronoia.recall.signals import Signals, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pronoia.benchmark.locomo import Conversation, Question
    from pronoia.domain.records import Vector
    from pronoia.ports.embedder import Embedder
    from pronoia.services.drafts import Draft

STORED_AT = datetime(2026, 1, 1, tzinfo=UTC)
ORGANISATION = UUID(int=0)


class InMemorySystem:
    """A RecallSystem whose memories last as long as it does."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._working_sets: dict[str, WorkingSet] = {}

    async def remember(self, conversation: Conversation) -> None:
        """Build the working set that the store would give."""
        drafts = [turn.draft() for turn in conversation.turns]
        self._working_sets[conversation.id] = await build_working_set(self._embedder, conversation.id, drafts)

    async def signals(self, conversation: Conversation, text: str) -> Signals:
        """Give the signals of all turns for any text."""
        held = self._working_sets[conversation.id]
        return measure(held, await self._query(text), held.alive)

    async def measure(self, conversation: Conversation, question: Question) -> Measured:
        """Give the signals that the ranker sees."""
        signals = await self.signals(conversation, question.text)
        return Measured(_turn_ids(conversation, signals.rows), signals.standardised())

    async def search(self, conversation: Conversation, question: Question, limit: int) -> list[str]:
        """Rank with the shipped prior."""
        held = self._working_sets[conversation.id]
        options = RankingOptions(limit, minimum_score=0.0)
        ranking = rank(held, await self._query(question.text), held.alive, STORED_AT.timestamp(), options)
        return _turn_ids(conversation, ranking.rows)

    async def _query(self, text: str) -> Query:
        (vector,) = await self._embedder.embed([text])
        return Query.of(text, vector)


def _turn_ids(conversation: Conversation, rows: NDArray[np.intp]) -> list[str]:
    return [conversation.turns[int(row)].id for row in rows]


async def build_working_set(embedder: Embedder, user_id: str, drafts: Sequence[Draft]) -> WorkingSet:
    """Build the working set of a user who was told all drafts at once, in order."""
    scope = Scope(ORGANISATION, user_id)
    held = WorkingSet(scope, embedder.space, embedder.dimensions)
    vectors = await embedder.embed([draft.text for draft in drafts])
    new = [_new(draft, vector) for draft, vector in zip(drafts, vectors, strict=True)]
    held.apply(snapshots.added(1, new, [_stored(scope, one) for one in new], embedder.space))
    return held


def _new(draft: Draft, vector: Vector) -> NewMemory:
    said = "" if draft.occurred_at is None else f" {date_words(draft.occurred_at)}"
    return NewMemory(
        id=new_id(STORED_AT),
        text=draft.text,
        source=draft.source,
        project_id=draft.project_id,
        tags=draft.tags,
        metadata="{}",
        session_id=draft.session_id,
        agent_id=draft.agent_id,
        speaker=draft.speaker,
        occurred_at=draft.occurred_at,
        created_at=STORED_AT,
        terms=analyze(f"{draft.text}{said}"),
        vector=vector,
    )


def _stored(scope: Scope, new: NewMemory) -> Memory:
    return Memory(
        id=new.id,
        user_id=scope.user_id,
        text=new.text,
        source=new.source,
        project_id=new.project_id,
        tags=new.tags,
        metadata=new.metadata,
        session_id=new.session_id,
        agent_id=new.agent_id,
        speaker=new.speaker,
        occurred_at=new.occurred_at,
        created_at=new.created_at,
        updated_at=new.created_at,
    )
