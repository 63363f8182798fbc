"""What the audit log tells: who did what, or was refused. It never holds a text, a key or a user's name."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from datetime import datetime

NO_ORGANISATION = UUID(int=0)
"""Whose rows those are that concern the instance, or somebody who proved nothing."""


class Category(StrEnum):
    """The documented categories, and one for memories themselves."""

    MEMORY = "memory"
    LEARNING = "learning"
    SECURITY = "security"
    PERFORMANCE = "performance"
    COLLABORATION = "collaboration"


class AuditAction(StrEnum):
    """What was done. A new administrative act is a new line here, and one in CATEGORIES if it is not about security."""

    MEMORY_CREATED = "memory_created"
    MEMORY_UPDATED = "memory_updated"
    MEMORY_DELETED = "memory_deleted"
    FEEDBACK_GIVEN = "feedback_given"
    RELATIONSHIP_CREATED = "relationship_created"
    RELATIONSHIP_DELETED = "relationship_deleted"
    MAINTENANCE_APPLIED = "maintenance_applied"
    MEMORIES_QUARANTINED = "memories_quarantined"
    MEMORIES_RELEASED = "memories_released"
    BATCH_ROLLED_BACK = "batch_rolled_back"
    USER_FORGOTTEN = "user_forgotten"
    PERSON_ERASED = "person_erased"
    PERSON_EXPORTED = "person_exported"
    KEY_CREATED = "key_created"
    KEY_ROTATED = "key_rotated"
    KEY_REVOKED = "key_revoked"
    KEY_CHANGED = "key_changed"
    ORGANISATION_CREATED = "organisation_created"
    ORGANISATION_RENAMED = "organisation_renamed"
    PROJECT_CREATED = "project_created"
    PROJECT_CHANGED = "project_changed"
    ROLE_CHANGED = "role_changed"
    TOKENS_REVOKED = "tokens_revoked"
    SCHEMA_MIGRATED = "schema_migrated"
    ENCRYPTION_BEGUN = "encryption_begun"
    MASTER_KEY_ROTATED = "master_key_rotated"
    BACKUP_BEGUN = "backup_begun"
    DATABASE_RESTORED = "database_restored"
    ACCESS_REFUSED = "access_refused"
    RATE_LIMITED = "rate_limited"
    AUDIT_TESTED = "audit_tested"


CATEGORIES: Mapping[str, Category] = {
    AuditAction.MEMORY_CREATED: Category.MEMORY,
    AuditAction.MEMORY_UPDATED: Category.MEMORY,
    AuditAction.MEMORY_DELETED: Category.MEMORY,
    AuditAction.FEEDBACK_GIVEN: Category.LEARNING,
    AuditAction.RELATIONSHIP_CREATED: Category.LEARNING,
    AuditAction.RELATIONSHIP_DELETED: Category.LEARNING,
    AuditAction.MAINTENANCE_APPLIED: Category.LEARNING,
}


def category_of(action: str) -> Category:
    """Give the category of an action; what is not listed is about security."""
    return CATEGORIES.get(action, Category.SECURITY)


class AuditOutcome(StrEnum):
    SUCCEEDED = "succeeded"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `name` is `key:` and the id of a key, `token:` and an identity provider, or one of those below."""

    name: str
    user_id: str | None = None
    """Of a token. It is told as the user's pseudonym, after the name and a colon; never as it is."""
    route: str | None = None
    """Method and template of the route."""
    request_id: str | None = None
    """Only an UUID: a caller may write anything into a request's id."""


SYSTEM = Actor("system")
"""The server by itself."""
COMMAND = Actor("command")
"""Whoever operates the command line."""
ANONYMOUS = "anonymous"
"""The name of somebody who proved nothing."""

_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


@contextmanager
def acting(actor: Actor) -> Generator[None]:
    """Say who does what is done inside."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def current_actor() -> Actor:
    """Give who acts."""
    return _actor.get()


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the chain, as it is stored. `subject` stands for a user, whom nothing but the user's own row names."""

    organisation_id: UUID
    number: int
    """From 1, without gaps, in each organisation."""
    at: datetime
    action: str
    outcome: str
    actor: str
    subject: str | None
    route: str | None
    request_id: str | None
    details: str
    """A JSON object, as the database writes it."""
    content_hash: bytes
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The last row of an organisation's chain."""

    organisation_id: UUID
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What some chains were when it was signed. `resealed` is the reason why earlier ones may promise more rows."""

    at: datetime
    heads: tuple[AuditHead, ...]
    resealed: str | None = None
