"""Work that a write leaves behind: vectors that could not be had, and relationships to earlier memories."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import structlog

from pronoia.domain.errors import EmbeddingUnavailableError, NotFoundError, UnavailableError
from pronoia.domain.identifiers import new_id
from pronoia.domain.records import Relationship, RelationshipType
from pronoia.ports.snapshots import UserState
from pronoia.ports.work_queue import PendingWork, WorkKind
from pronoia.services.drafts import with_speaker
from pronoia.services.timing import timed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor
    from uuid import UUID

    from numpy.typing import NDArray

    from pronoia.domain.records import Memory
    from pronoia.memory.residents import Residents
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.ports.embedder import Embedder
    from pronoia.ports.memory_store import MemoryStore, Written
    from pronoia.ports.telemetry import Meter
    from pronoia.ports.work_queue import WorkQueue
    from pronoia.services.changes import Changes

PAUSE_SECONDS = 1.0
CLAIM = 100
LEASE_SECONDS = 60.0
SIMILAR = 0.75
RELATED = 0.5
MOST_RELATIONSHIPS = 10
FOLLOWS_STRENGTH = 0.6

log = structlog.get_logger(__name__)


class Background:
    """Takes durable work in bounded pieces. Many processes may run it; each piece is done by one."""

    def __init__(
        self,
        *,
        store: MemoryStore,
        queue: WorkQueue,
        embedder: Embedder,
        residents: Residents,
        changes: Changes,
        clock: Clock,
        meter: Meter,
        executor: Executor,
    ) -> None:
        self._executor = executor
        self._store = store
        self._queue = queue
        self._embedder = embedder
        self._residents = residents
        self._changes = changes
        self._clock = clock
        self._meter = meter

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                busy = await self.run_once()
            except UnavailableError as error:
                log.warning("background.waiting", reason=error.message)
                busy = False
            if not busy:
                await asyncio.sleep(PAUSE_SECONDS)

    async def run_once(self) -> bool:
        """Do one piece of each kind, and say whether there was any."""
        embedded = await self._do(WorkKind.EMBED, self._embed)
        linked = await self._do(WorkKind.LINK, self._link)
        return embedded or linked

    async def _do(self, kind: WorkKind, finish: Callable[[WorkingSet | None, PendingWork], Awaitable[Written]]) -> bool:
        claimed = await self._queue.claim(kind, CLAIM, LEASE_SECONDS)
        for work in claimed:
            held = await self._residents.get(work.scope)
            try:
                written = await finish(held, work)
            except EmbeddingUnavailableError as error:
                # The lease runs out and the work is offered again, later each time.
                log.warning("background.postponed", kind=kind.value, reason=error.message)
                return False
            if held is not None and written.version > held.version:
                self._residents.heard(work.scope.digest, written.version, 0)
                self._changes.note(work.scope, UserState(written.version, 0, 0))
        return bool(claimed)

    async def _embed(self, held: WorkingSet | None, work: PendingWork) -> Written:
        memories = await self._memories(held, work)
        vectors = await self._embedder.embed([with_speaker(memory.speaker, memory.text) for memory in memories])
        named = [(memory.id, vector) for memory, vector in zip(memories, vectors, strict=True)]
        return await self._queue.finish_vectors(work, named)

    async def _memories(self, held: WorkingSet | None, work: PendingWork) -> list[Memory]:
        """Read the memories that are still there; those of a user above the resident limit from the store."""
        if held is not None:
            return [held.memory(row) for row in _rows(held, work.memory_ids)]
        memories: list[Memory] = []
        for memory_id in work.memory_ids:
            with suppress(NotFoundError):
                memories.append(await self._store.memory(work.scope, memory_id))
        return memories

    async def _link(self, held: WorkingSet | None, work: PendingWork) -> Written:
        if held is None:
            return await self._queue.finish_links(work, [])
        loop = asyncio.get_running_loop()
        status = "failed"
        try:
            with timed(self._meter, self._clock, "relationship_detection_duration_seconds"):
                rows = _rows(held, work.memory_ids)
                found = await loop.run_in_executor(self._executor, self._find_links, held.frozen(), rows)
            status = "succeeded"
        finally:
            self._meter.count("relationship_detection_attempts_total", status=status)
        for link in found:
            self._meter.count("relationships_detected_total", type=link.type.value)
        return await self._queue.finish_links(work, found)

    def _find_links(self, held: WorkingSet, rows: list[int]) -> list[Relationship]:
        """Relate memories, at the cost of one matrix product; runs beside the event loop."""
        likeness = held.vectors[rows] @ held.vectors.T
        earlier = held.alive & (held.created_at <= held.created_at[rows][:, None])
        likeness[~earlier] = 0
        return [link for place, row in enumerate(rows) for link in self._links_of(held, row, likeness[place])]

    def _links_of(self, held: WorkingSet, row: int, likeness: NDArray[np.float32]) -> list[Relationship]:
        """Relate a memory to earlier ones: alike in meaning, of one topic by tags, or just before it in the session."""
        links: list[Relationship] = []
        before = int(held.previous[row])
        if before >= 0:
            links.append(
                self._link_to(
                    held, row, before, RelationshipType.FOLLOWS, FOLLOWS_STRENGTH, "Next in the same session."
                )
            )
        likeness[[row, before] if before >= 0 else [row]] = 0
        tags = set(held.tags(row))
        nearest = np.argpartition(-likeness, min(MOST_RELATIONSHIPS, len(likeness) - 1))[:MOST_RELATIONSHIPS]
        for other in nearest.tolist():
            strength = float(likeness[other])
            shared = tags & set(held.tags(other)) if strength >= RELATED else set[str]()
            if strength >= SIMILAR:
                links.append(
                    self._link_to(held, row, other, RelationshipType.SIMILAR_TO, strength, "Alike in meaning.")
                )
            elif shared:
                explanation = f"Both are about {', '.join(sorted(shared)[:3])}."[:200]
                links.append(self._link_to(held, row, other, RelationshipType.RELATED_TO, strength, explanation))
        return links

    def _link_to(
        self, held: WorkingSet, row: int, other: int, kind: RelationshipType, strength: float, explanation: str
    ) -> Relationship:
        now = self._clock.now()
        first, second = held.ids([row, other])
        return Relationship(new_id(now), first, second, kind, round(min(strength, 1.0), 2), explanation, now)


def _rows(held: WorkingSet, memory_ids: Sequence[UUID]) -> list[int]:
    return [row for memory_id in memory_ids if (row := held.row_of(memory_id)) is not None]
