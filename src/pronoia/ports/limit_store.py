"""Budgets that all processes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class CellClaim:
    """What a process wants of the cells of one key, which come back one in `interval_seconds` up to `limit`."""

    organisation_id: UUID
    key: bytes
    interval_seconds: float
    limit: float
    wanted: float
    minimum: float
    """Fewer are of no use: then none are taken."""
    returned: float = 0.0
    """Cells that were taken before and never used."""


@dataclass(frozen=True, slots=True)
class CellGrant:
    cells: float
    """0, or between the minimum and what was wanted."""
    backlog_seconds: float
    """In how many seconds everything that was taken will have come back."""
    spent: float
    """A running total of the key; it begins at 0 again when the store forgot the key."""


class LimitStore(Protocol):
    """Budgets that all processes share, on one clock. It may forget everything at any moment: then budgets are full."""

    async def take(self, claims: Sequence[CellClaim]) -> list[CellGrant]:
        """Take cells of several keys at once, each by itself. Raises StoreUnavailableError."""
        ...
