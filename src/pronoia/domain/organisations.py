"""An organisation and what it consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.domain.roles import Role


@dataclass(frozen=True, slots=True)
class Organisation:
    id: UUID
    name: str
    """Empty until it is given one."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Project:
    """A declared project. Memories may name projects that nobody declared."""

    id: str
    retention_days: int | None
    """How long its memories are kept; None means for good."""
    created_at: datetime
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has a memory, a role, or both."""

    id: str
    role: Role | None
    """Bounds the keys and tokens of this user; None bounds nothing."""
    memory_count: int
    memory_version: int
    created_at: datetime
    tokens_not_before: datetime | None = None
    """Tokens that an identity provider issued until then are refused."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What bounds the credentials of a user, who need not have stored anything."""

    role: Role | None = None
    tokens_not_before: datetime | None = None
