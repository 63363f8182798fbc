"""Deltas of what this process wrote itself, alike to the bit with what a reload would bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pronoia.ports.snapshots import MemoryColumns, Snapshot, UsageColumns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.records import Memory, NewMemory, Relationship, Vector


def encode_halfvec(vector: Vector) -> bytes:
    """Write a vector as PostgreSQL's halfvec_send does: length, zero, numbers; big-endian 16-bit words."""
    numbers = np.frombuffer(vector.values, dtype="<f4")
    return len(numbers).to_bytes(2, "big") + b"\x00\x00" + numbers.astype(">f2").tobytes()


def added(version: int, new: Sequence[NewMemory], stored: Sequence[Memory], space: str) -> Snapshot:
    """Describe memories that were stored just now."""
    columns = MemoryColumns()
    for one, memory in zip(new, stored, strict=True):
        _append(columns, memory, one.terms, one.vector, space)
    return _delta(version, memories=columns)


def removed(version: int, memory_id: UUID) -> Snapshot:
    """Describe a memory that was deleted just now."""
    return _delta(version, removed_memories=[memory_id])


def judged(version: int, memory: Memory, helpfulness: float) -> Snapshot:
    """Describe a memory whose helpfulness changed just now."""
    usage = UsageColumns([memory.id], [memory.usage_count], [_seconds(memory.last_accessed)], [helpfulness])
    return _delta(version, usage=usage)


def related(version: int, relationships: Sequence[Relationship]) -> Snapshot:
    """Describe relationships that were written just now."""
    return _delta(version, relationships=list(relationships))


def unrelated(version: int, relationship_id: UUID) -> Snapshot:
    """Describe a relationship that was removed just now."""
    return _delta(version, removed_relationships=[relationship_id])


def _append(columns: MemoryColumns, memory: Memory, terms: bytes, vector: Vector | None, space: str) -> None:
    embedded = vector is not None and vector.space == space
    columns.ids += memory.id.bytes
    columns.vectors += encode_halfvec(vector) if vector is not None and embedded else b""
    columns.embedded.append(embedded)
    columns.terms += terms
    columns.term_counts.append(len(terms) // 4)
    columns.texts.append(memory.text)
    columns.sources.append(memory.source)
    columns.project_ids.append(memory.project_id)
    columns.tags.append(_json_list(memory.tags))
    columns.metadata.append(memory.metadata)
    columns.session_ids.append(memory.session_id)
    columns.agent_ids.append(memory.agent_id)
    columns.speakers.append(memory.speaker)
    columns.occurred_at.append(_seconds(memory.occurred_at))
    columns.created_at.append(memory.created_at.timestamp())
    columns.updated_at.append(memory.updated_at.timestamp())
    columns.duplicate_of.append(memory.duplicate_of)
    provenance = memory.provenance
    columns.trust.append(memory.trust.rank)
    columns.written_by.append(None if provenance is None else provenance.key_id)
    columns.written_via.append(None if provenance is None else provenance.route)
    columns.batch_ids += bytes(16) if provenance is None else provenance.batch_id.bytes


def _json_list(tags: Sequence[str]) -> str:
    return msgspec.json.encode(tags).decode()


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _delta(  # each kind of change fills one field
    version: int,
    *,
    memories: MemoryColumns | None = None,
    usage: UsageColumns | None = None,
    relationships: list[Relationship] | None = None,
    removed_memories: list[UUID] | None = None,
    removed_relationships: list[UUID] | None = None,
) -> Snapshot:
    return Snapshot(
        version=version,
        activity=0,
        complete=False,
        memories=memories or MemoryColumns(),
        usage=usage or UsageColumns(),
        relationships=relationships or [],
        removed_memories=removed_memories or [],
        removed_relationships=removed_relationships or [],
    )
