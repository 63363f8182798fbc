"""Writing: remember, change, judge and forget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.erasures import Erasure
from pronoia.domain.errors import EmbeddingUnavailableError, ForbiddenError, InvalidInputError
from pronoia.domain.identifiers import new_id
from pronoia.domain.records import AccessKind, Feedback, MemoryChanges, NewMemory
from pronoia.domain.trust import Origin, Provenance
from pronoia.memory import snapshots
from pronoia.memory.analyzer import analyze
from pronoia.ports.snapshots import UserState
from pronoia.recall.dates import date_words
from pronoia.services.drafts import (
    MAXIMUM_BATCH,
    check_draft,
    check_name,
    check_tags,
    check_text,
    encode_metadata,
    with_speaker,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Idempotency, Revision, Vector
    from pronoia.domain.trust import Trust
    from pronoia.memory.residents import Residents
    from pronoia.ports.clock import Clock
    from pronoia.ports.embedder import Embedder
    from pronoia.ports.memory_store import Forgotten, Judged, MemoryStore, Written
    from pronoia.ports.snapshots import Snapshot
    from pronoia.ports.telemetry import Meter
    from pronoia.services.answers import Answers
    from pronoia.services.changes import Changes
    from pronoia.services.drafts import Draft
    from pronoia.services.erasures import Erasures
    from pronoia.services.outcomes import Outcomes
    from pronoia.services.prediction_learning import PredictionLearning
    from pronoia.services.ranking_weights import RankingWeights
    from pronoia.services.uses import Uses

MAXIMUM_CONTEXT_LENGTH = 1_000
DIRECT = Origin()

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MemoryEdit:
    """What to replace in a memory; None keeps."""

    text: str | None = None
    source: str | None = None
    project_id: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, object] | None = None


class Memories:
    """Each write is durable before it is answered, and visible in this process when it is."""

    def __init__(
        self,
        *,
        store: MemoryStore,
        embedder: Embedder,
        residents: Residents,
        changes: Changes,
        uses: Uses,
        outcomes: Outcomes,
        learning: PredictionLearning,
        ranking_weights: RankingWeights,
        answers: Answers,
        erasures: Erasures,
        clock: Clock,
        meter: Meter,
        maximum_text_length: int,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._residents = residents
        self._changes = changes
        self._uses = uses
        self._outcomes = outcomes
        self._learning = learning
        self._ranking_weights = ranking_weights
        self._answers = answers
        self._erasures = erasures
        self._clock = clock
        self._meter = meter
        self._maximum_text_length = maximum_text_length

    async def add(
        self,
        scope: Scope,
        drafts: Sequence[Draft],
        idempotency: Idempotency | None = None,
        origin: Origin = DIRECT,
    ) -> Written:
        """Remember up to 100 texts at once, all or none.

        Raises InvalidInputError naming the field, and ForbiddenError for more trust than the origin has.
        """
        if not 1 <= len(drafts) <= MAXIMUM_BATCH:
            raise InvalidInputError(
                f"memories must hold 1 to {MAXIMUM_BATCH} entries.", field="memories", limit=MAXIMUM_BATCH
            )
        for draft in drafts:
            check_draft(draft, self._maximum_text_length)
            _check_trust(draft, origin)
        vectors = await self._vectors([with_speaker(draft.speaker, draft.text) for draft in drafts])
        batch_id = origin.batch_id or new_id(self._clock.now())
        provenance = Provenance(origin.key_id, origin.route, batch_id)
        new = [
            self._new(draft, vector, draft.trust or origin.trust, provenance)
            for draft, vector in zip(drafts, vectors, strict=True)
        ]
        written = await self._store.add(scope, new, idempotency)
        if not written.replayed:
            self._publish(scope, snapshots.added(written.version, new, written.memories, self._embedder.space))
            for memory in written.memories:
                self._uses.record(scope, [memory.id], AccessKind.WRITE, at=memory.created_at)
            self._meter.count("memories_created_total", len(new))
        self._count("add")
        return written

    async def update(
        self,
        scope: Scope,
        memory_id: UUID,
        edit: MemoryEdit,
        idempotency: Idempotency | None = None,
        origin: Origin = DIRECT,
    ) -> Written:
        """Change a memory, which is then trusted no more than the origin. Raises NotFoundError for an unknown id."""
        changes = await self._changes_of(scope, memory_id, edit)
        changes = replace(changes, trust=origin.trust, key_id=origin.key_id)
        written = await self._store.update(scope, memory_id, changes, self._clock.now(), idempotency)
        if not written.replayed:
            self._changed(scope, written.version)
        self._count("update")
        return written

    async def delete(self, scope: Scope, memory_id: UUID, idempotency: Idempotency | None = None) -> Written:
        """Delete a memory and all that was learned from it. Raises NotFoundError."""
        written = await self._store.delete(scope, memory_id, self._clock.now(), idempotency)
        if not written.replayed:
            self._publish(scope, snapshots.removed(written.version, memory_id))
            self._outcomes.forget(scope, memory_id)
            self._ranking_weights.forgot(scope, memory_id)
            await self._answers.forget(scope)
        self._count("delete")
        return written

    async def forget(
        self, scope: Scope, idempotency: Idempotency | None = None, erasure: Erasure | None = None
    ) -> Forgotten:
        """Delete everything that is held about a user, or what `erasure` orders; their keys stay unless it says so."""
        now = self._clock.now()
        forgotten = await self._store.forget(scope, idempotency, erasure or Erasure(new_id(now), now))
        self._residents.forget(scope)
        self._outcomes.forget(scope)
        await self._learning.forget(scope)
        self._ranking_weights.forgot(scope)
        self._residents.heard(scope.digest, forgotten.version, 0)
        self._changes.forgot(scope, UserState(forgotten.version, 0, 0))
        await self._answers.forget(scope, shared=True)
        await self._erasures.note()
        self._count("forget")
        return forgotten

    async def feedback(
        self,
        scope: Scope,
        memory_id: UUID,
        *,
        helpful: bool,
        context: str | None,
        satisfaction: float | None,
        idempotency: Idempotency | None = None,
    ) -> Judged:
        """Judge a memory. Raises NotFoundError, and InvalidInputError for a satisfaction outside [0, 1]."""
        if satisfaction is not None and not 0 <= satisfaction <= 1:
            raise InvalidInputError("user_satisfaction must lie between 0 and 1.", field="user_satisfaction", limit=1)
        if context is not None:
            check_text(context, "context", MAXIMUM_CONTEXT_LENGTH)
        feedback = Feedback(helpful, context, satisfaction, self._clock.now())
        judged = await self._store.judge(scope, memory_id, feedback, idempotency)
        if not judged.replayed:
            self._changed(scope, judged.version)
            self._uses.record(scope, [memory_id], AccessKind.FEEDBACK, context)
            self._ranking_weights.judged(scope, memory_id, context, helpful=helpful)
        self._count("feedback")
        return judged

    async def history(self, scope: Scope, memory_id: UUID) -> list[Revision]:
        """List what happened to a memory, oldest first."""
        return await self._store.history(scope, memory_id)

    async def _changes_of(self, scope: Scope, memory_id: UUID, edit: MemoryEdit) -> MemoryChanges:
        for name, value in (("source", edit.source), ("project_id", edit.project_id)):
            if value is not None:
                check_name(value, name)
        if edit.tags is not None:
            check_tags(edit.tags)
        changes = MemoryChanges(
            source=edit.source,
            project_id=edit.project_id,
            tags=edit.tags,
            metadata=None if edit.metadata is None else encode_metadata(edit.metadata),
        )
        if edit.text is None:
            return changes
        check_text(edit.text, "text", self._maximum_text_length)
        before = await self._store.memory(scope, memory_id)
        (vector,) = await self._vectors([with_speaker(before.speaker, edit.text)])
        terms = analyze(_to_index(before.speaker, edit.text, before.occurred_at))
        return replace(changes, text=edit.text, terms=terms, vector=vector)

    async def _vectors(self, texts: Sequence[str]) -> Sequence[Vector | None]:
        """Embed, or leave it to the background: a memory is stored even if its vector cannot be had now."""
        try:
            return await self._embedder.embed(texts)
        except EmbeddingUnavailableError as error:
            log.warning("embedding.postponed", memories=len(texts), reason=error.message)
            return [None] * len(texts)

    def _count(self, operation: str) -> None:
        self._meter.count("memory_operations_total", operation=operation)

    def _new(self, draft: Draft, vector: Vector | None, trust: Trust, provenance: Provenance) -> NewMemory:
        now = self._clock.now()
        return NewMemory(
            id=new_id(now),
            text=draft.text,
            source=draft.source,
            project_id=draft.project_id,
            tags=draft.tags,
            metadata=encode_metadata(draft.metadata),
            session_id=draft.session_id,
            agent_id=draft.agent_id,
            speaker=draft.speaker,
            occurred_at=draft.occurred_at,
            created_at=now,
            terms=analyze(_to_index(draft.speaker, draft.text, draft.occurred_at)),
            vector=vector,
            trust=trust,
            provenance=provenance,
        )

    def _publish(self, scope: Scope, snapshot: Snapshot) -> None:
        self._residents.apply(scope, snapshot)
        self._changes.note(scope, UserState(snapshot.version, 0, 0))

    def _changed(self, scope: Scope, version: int) -> None:
        """Make the next read here and elsewhere fetch the change."""
        self._residents.heard(scope.digest, version, 0)
        self._changes.note(scope, UserState(version, 0, 0))


def _check_trust(draft: Draft, origin: Origin) -> None:
    if draft.trust is not None and draft.trust.rank > origin.trust.rank:
        raise ForbiddenError(
            f"Your key writes {origin.trust.value} memories; trust may only be lowered.", field="trust"
        )


def _to_index(speaker: str | None, text: str, occurred_at: datetime | None) -> str:
    """Add the day to the words: a text seldom says when it was, and a question often does."""
    spoken = with_speaker(speaker, text)
    return spoken if occurred_at is None else f"{spoken} {date_words(occurred_at)}"
