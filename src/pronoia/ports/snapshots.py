"""One user's memory as it is read from the store, by column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.domain.records import Relationship


@dataclass(slots=True)
class MemoryColumns:
    """n memories by column, in the order of their ids. Times are seconds since the epoch."""

    ids: bytes = b""
    """16 bytes a memory."""
    vectors: bytes = b""
    """Big-endian IEEE half floats of the memories in `embedded`, as PostgreSQL sends a halfvec, headers included."""
    embedded: list[bool] = field(default_factory=list[bool])
    """Whether the memory has a vector in the space that was asked for."""
    terms: bytes = b""
    term_counts: list[int] = field(default_factory=list[int])
    """Words a memory has in `terms`."""
    texts: list[str] = field(default_factory=list[str])
    sources: list[str] = field(default_factory=list[str])
    project_ids: list[str] = field(default_factory=list[str])
    tags: list[str] = field(default_factory=list[str])
    """A JSON array of strings each."""
    metadata: list[str] = field(default_factory=list[str])
    """A JSON object each."""
    session_ids: list[str | None] = field(default_factory=list["str | None"])
    agent_ids: list[str | None] = field(default_factory=list["str | None"])
    speakers: list[str | None] = field(default_factory=list["str | None"])
    occurred_at: list[float | None] = field(default_factory=list["float | None"])
    created_at: list[float] = field(default_factory=list[float])
    updated_at: list[float] = field(default_factory=list[float])
    duplicate_of: list[UUID | None] = field(default_factory=list["UUID | None"])
    trust: list[int] = field(default_factory=list[int])
    """Ranks of Trust."""
    written_by: list[str | None] = field(default_factory=list["str | None"])
    written_via: list[str | None] = field(default_factory=list["str | None"])
    batch_ids: bytes = b""
    """16 bytes a memory; zeros for one that was stored before provenance was."""


@dataclass(slots=True)
class UsageColumns:
    """What is counted about a memory that was ever used or judged; absolute values."""

    ids: list[UUID] = field(default_factory=list["UUID"])
    usage_count: list[int] = field(default_factory=list[int])
    last_accessed: list[float | None] = field(default_factory=list["float | None"])
    helpfulness: list[float] = field(default_factory=list[float])


@dataclass(slots=True)
class RelationshipColumns:
    """n relationships by column, in the order of their ids."""

    ids: bytes = b""
    """16 bytes a relationship; so are both ends."""
    memory_ids: bytes = b""
    related_memory_ids: bytes = b""
    types: bytes = b""
    """A byte a relationship: the place of its type in RelationshipType."""
    strengths: bytes = b""
    """In [0, 1], a big-endian float64 a relationship."""
    explanations: list[str] = field(default_factory=list[str])
    """Each once."""
    explained_by: bytes = b""
    """A little-endian int32 a relationship: the place of its explanation."""
    created_at: bytes = b""
    """Seconds since the epoch, a big-endian float64 a relationship."""


@dataclass(frozen=True, slots=True)
class AccessColumns:
    """Uses by column, in the order of the log."""

    memory_ids: bytes = b""
    """16 bytes a use."""
    times: bytes = b""
    """Seconds since the epoch, a big-endian float64 a use."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One user's memory as of `version` (writes) and `activity` (uses), read in one consistent transaction.

    A complete snapshot replaces all that is held; any other holds only what changed after the versions asked for.
    """

    version: int
    activity: int
    complete: bool
    memories: MemoryColumns
    usage: UsageColumns
    relationships: list[Relationship]
    """Beside those in `links`."""
    removed_memories: list[UUID]
    removed_relationships: list[UUID]
    accesses: AccessColumns = field(default_factory=AccessColumns)
    """Of a complete snapshot, the newest; of any other, all after the activity asked for."""
    links: RelationshipColumns = field(default_factory=RelationshipColumns)
    """Relationships of a complete snapshot."""


@dataclass(frozen=True, slots=True)
class UserState:
    """What is known about a user without reading their memory."""

    version: int
    activity: int
    memory_count: int
