"""What is done to mend a user's memory: asked for by name, and undone by name. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID  # noqa: TC003 - actions are decoded by their annotations

REVERSIBLE_FOR = timedelta(days=30)
"""How long an action can be undone; then what it took out of use is deleted."""


class MaintenanceKind(StrEnum):
    MERGE = "merge"
    ARCHIVE = "archive"
    REMOVE_LINK = "remove_link"
    QUARANTINE = "quarantine"
    """Does not expire: what is quarantined stays so until it is released or deleted."""
    ROLLBACK = "rollback"


QUARANTINES = (MaintenanceKind.QUARANTINE, MaintenanceKind.ROLLBACK)
"""Done and undone by administrators alone; each takes any number of memories out of use."""


@dataclass(frozen=True, slots=True)
class MaintenanceAction:
    """One thing that was done, or is to be done.

    Merging and archiving take `memory_id` out of use, removing a link takes `relationship_id`.
    """

    id: UUID
    kind: MaintenanceKind
    at: datetime
    memory_id: UUID | None = None
    kept_memory_id: UUID | None = None
    """Of a merge, the memory that stays."""
    relationship_id: UUID | None = None
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Restoration:
    """An action to be undone, named by its id or by the memory that it took out of use."""

    action_id: UUID | None = None
    memory_id: UUID | None = None


MaintenanceStep = MaintenanceAction | Restoration
