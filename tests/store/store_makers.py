"""Makes records for the tests of the store."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import numpy as np

from pronoia.domain.erasures import Erasure
from pronoia.domain.identifiers import new_id
from pronoia.domain.records import (
    ApiKey,
    Feedback,
    NewMemory,
    Permission,
    Plan,
    Relationship,
    RelationshipType,
    Vector,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from pronoia.ports.snapshots import MemoryColumns, Snapshot

NOW = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)
SPACE = "model/256"
RESIDENT_LIMIT = 300
SECONDS = 20
"""Longest wait for anything."""
OPEN_TRANSACTIONS = "select count(*) from pg_stat_activity where datname = current_database() and xact_start < now()"
"""Asked by a statement that is a transaction by itself."""
_seconds = count()


def unit(*values: float, dimensions: int = 256, space: str = SPACE) -> Vector:
    """Make a unit vector that begins with these numbers and goes on with zeros."""
    numbers = np.zeros(dimensions, "<f4")
    numbers[: len(values)] = values
    return Vector(space, (numbers / np.linalg.norm(numbers)).astype("<f4").tobytes())


def memory(text: str = "Ada likes tea.", *, vector: Vector | None = None, **changes: object) -> NewMemory:
    """Make a memory a second younger than the one before."""
    at = NOW + timedelta(seconds=next(_seconds))
    fields: dict[str, object] = {
        "id": new_id(at),
        "text": text,
        "source": "api",
        "project_id": "default",
        "tags": (),
        "metadata": "{}",
        "session_id": None,
        "agent_id": None,
        "speaker": None,
        "occurred_at": None,
        "created_at": at,
        "terms": b"\x01\x00\x00\x00\x02\x00\x00\x00",
        "vector": vector,
    }
    return NewMemory(**{**fields, **changes})


def key(organisation_id: UUID, key_id: str | None = None, **changes: object) -> ApiKey:
    fields: dict[str, object] = {
        "id": key_id or uuid4().hex,
        "organisation_id": organisation_id,
        "user_id": None,
        "permissions": frozenset({Permission.READ, Permission.WRITE}),
        "plan": Plan.ENTERPRISE,
        "secret_hash": b"\x07" * 32,
        "created_at": NOW,
    }
    return ApiKey(**{**fields, **changes})


def relationship(
    memory_id: UUID,
    related_memory_id: UUID,
    kind: RelationshipType = RelationshipType.RELATED_TO,
    strength: float = 0.5,
) -> Relationship:
    return Relationship(new_id(NOW), memory_id, related_memory_id, kind, strength, "They share a topic.", NOW)


def feedback(*, helpful: bool, satisfaction: float | None = None, context: str | None = None) -> Feedback:
    return Feedback(helpful, context, satisfaction, NOW)


def erasure(**changes: object) -> Erasure:
    return Erasure(**{"id": new_id(NOW), "at": NOW, **changes})


async def until(administrator: asyncpg.Connection, query: str, expected: object) -> None:
    """Ask until the server says so: it tells nobody by itself."""
    async with asyncio.timeout(SECONDS):
        while await administrator.fetchval(query) != expected:  # noqa: ASYNC110 - it tells when asked
            await asyncio.sleep(0)


def ids_of(columns: MemoryColumns) -> list[UUID]:
    return [UUID(bytes=columns.ids[start : start + 16]) for start in range(0, len(columns.ids), 16)]


def vectors_of(columns: MemoryColumns) -> list[list[float]]:
    """Read the vectors, checking that each has its header."""
    found: list[list[float]] = []
    rest = columns.vectors
    while rest:
        size = int.from_bytes(rest[:2], "big")
        assert rest[2:4] == b"\x00\x00"
        found.append(np.frombuffer(rest[4 : 4 + 2 * size], ">f2").tolist())
        rest = rest[4 + 2 * size :]
    return found


def loaded_relationships(snapshot: Snapshot) -> list[Relationship]:
    """Read the columns of a complete snapshot's relationships."""
    links = snapshot.links
    ids, ones, others = (
        [UUID(bytes=column[at : at + 16]) for at in range(0, len(column), 16)]
        for column in (links.ids, links.memory_ids, links.related_memory_ids)
    )
    strengths, times = (np.frombuffer(column, ">f8").tolist() for column in (links.strengths, links.created_at))
    kinds = [list(RelationshipType)[code] for code in links.types]
    explanations = [links.explanations[place] for place in np.frombuffer(links.explained_by, "<i4").tolist()]
    rows = zip(ids, ones, others, kinds, strengths, explanations, times, strict=True)
    return [
        Relationship(id_, one, other, kind, strength, explanation, datetime.fromtimestamp(at, UTC))
        for id_, one, other, kind, strength, explanation, at in rows
    ]


class Held:
    """What a reader holds who applies snapshots as the port describes them."""

    def __init__(self) -> None:
        self.memories: dict[UUID, tuple[object, ...]] = {}
        self.usage: dict[UUID, tuple[object, ...]] = {}
        self.relationships: dict[UUID, Relationship] = {}

    def apply(self, snapshot: Snapshot) -> Held:
        if snapshot.complete:
            self.__init__()
        self.memories.update(_rows(snapshot.memories))
        usage = snapshot.usage
        self.usage.update(
            zip(
                usage.ids,
                zip(usage.usage_count, usage.last_accessed, usage.helpfulness, strict=True),
                strict=True,
            )
        )
        self.relationships.update({one.id: one for one in (*loaded_relationships(snapshot), *snapshot.relationships)})
        for gone in snapshot.removed_memories:
            self.memories.pop(gone, None)
            self.usage.pop(gone, None)
        for gone in snapshot.removed_relationships:
            self.relationships.pop(gone, None)
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and vars(self) == vars(other)

    __hash__ = None


def _rows(columns: MemoryColumns) -> dict[UUID, tuple[object, ...]]:
    vectors = iter(vectors_of(columns))
    terms = iter(_cut(columns.terms, columns.term_counts))
    lists: Sequence[Sequence[object]] = (
        *(columns.texts, columns.sources, columns.project_ids, columns.tags, columns.metadata, columns.session_ids),
        *(columns.agent_ids, columns.speakers, columns.occurred_at, columns.created_at, columns.updated_at),
        columns.duplicate_of,
    )
    rows = zip(ids_of(columns), columns.embedded, zip(*lists, strict=True), strict=True)
    return {
        memory_id: (*values, next(terms), tuple(next(vectors)) if embedded else None)
        for memory_id, embedded, values in rows
    }


def _cut(terms: bytes, counts: Sequence[int]) -> list[bytes]:
    cut: list[bytes] = []
    start = 0
    for words in counts:
        cut.append(terms[start : start + 4 * words])
        start += 4 * words
    return cut
