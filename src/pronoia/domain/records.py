"""Frozen records. Times are aware UTC datetimes; scores and strengths lie in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - records are decoded by their annotations
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - records are decoded by their annotations

from pronoia.domain.trust import Provenance, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pronoia.domain.identifiers import Scope


class RelationshipType(StrEnum):
    RELATED_TO = "related_to"
    CAUSED_BY = "caused_by"
    SIMILAR_TO = "similar_to"
    FOLLOWS = "follows"
    CONTRADICTS = "contradicts"


class AccessKind(StrEnum):
    """How a memory was used. Every kind is an event that prediction learns from."""

    GET = "get"
    RECALL = "recall"
    FEEDBACK = "feedback"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Vector:
    """An embedding as little-endian float32 bytes of a unit vector, and the name of the space it lives in."""

    space: str
    values: bytes


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A memory as it is written. `terms` is what the analyzer made of it; `vector` is None if it could not be had."""

    id: UUID
    text: str
    source: str
    project_id: str
    tags: tuple[str, ...]
    metadata: str
    """A JSON object, as text."""
    session_id: str | None
    agent_id: str | None
    speaker: str | None
    occurred_at: datetime | None
    created_at: datetime
    terms: bytes
    """The analyzed words in order, one little-endian uint32 a word."""
    vector: Vector | None
    trust: Trust = Trust.TRUSTED
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class MemoryChanges:
    """What an update replaces; None keeps the old value. A new text always brings its terms (and a vector if any)."""

    text: str | None = None
    source: str | None = None
    project_id: str | None = None
    tags: tuple[str, ...] | None = None
    metadata: str | None = None
    terms: bytes | None = None
    vector: Vector | None = None
    trust: Trust = Trust.TRUSTED
    """Of whoever changes it: the memory keeps the lower of this and its own."""
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """A stored memory, as everybody may see it."""

    id: UUID
    user_id: str
    text: str
    source: str
    project_id: str
    tags: tuple[str, ...]
    metadata: str
    """A JSON object, as text."""
    session_id: str | None
    agent_id: str | None
    speaker: str | None
    occurred_at: datetime | None
    created_at: datetime
    updated_at: datetime
    duplicate_of: UUID | None = None
    usage_count: int = 0
    last_accessed: datetime | None = None
    helpfulness_score: float = 0.5
    trust: Trust = Trust.TRUSTED
    provenance: Provenance | None = None
    """None for what was stored before provenance was."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One entry of a memory's history."""

    memory_id: UUID
    event: str
    """ADD, UPDATE or DELETE."""
    version: int
    at: datetime
    old_text: str | None
    new_text: str | None


@dataclass(frozen=True, slots=True)
class Relationship:
    id: UUID
    memory_id: UUID
    related_memory_id: UUID
    type: RelationshipType
    strength: float
    explanation: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Feedback:
    helpful: bool
    context: str | None
    satisfaction: float | None
    """In [0, 1], or None if the user gave none."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """One use of one memory."""

    scope: Scope
    memory_id: UUID
    kind: AccessKind
    at: datetime
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """What a memory must match to be found. None and empty mean no condition."""

    project_id: str | None = None
    tags: tuple[str, ...] = ()
    """All of them must be present."""
    source: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Mapping[str, str | int | float | bool | None] = field(
        default_factory=dict[str, "str | int | float | bool | None"]
    )
    """Top-level keys of the metadata and the JSON scalar each must equal."""
    minimum_trust: Trust | None = None


class Permission(StrEnum):
    READ = "read"
    WRITE = "write"
    LEARN = "learn"
    ADMIN = "admin"


class Plan(StrEnum):
    FREE = "free"
    PRO = "pro"
    TEAM = "team"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key: what it may do, never its secret. A key without `user_id` lets its caller name the user."""

    id: str
    organisation_id: UUID
    user_id: str | None
    permissions: frozenset[Permission]
    plan: Plan
    secret_hash: bytes
    created_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    previous_secret_hash: bytes | None = None
    """Of the secret that the last rotation replaced."""
    previous_valid_until: datetime | None = None
    """Until when that one works beside the new one."""
    trust: Trust = Trust.TRUSTED
    """Of what it writes."""

    @property
    def is_service(self) -> bool:
        """Whether the caller names the user on each request."""
        return self.user_id is None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's promise that two requests with this key are the same request."""

    key: str
    request_hash: bytes
