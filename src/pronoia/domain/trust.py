"""How far a memory may be believed, and where it came from. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID  # noqa: TC003 - records are decoded by their annotations


class Trust(StrEnum):
    """The class of whoever wrote a memory; later ones are trusted more."""

    UNTRUSTED = "untrusted"
    UNVERIFIED = "unverified"
    TRUSTED = "trusted"

    @property
    def rank(self) -> int:
        """Its place, from 0: this is what is stored."""
        return _RANKED.index(self)


_RANKED = tuple(Trust)


def trust_of(rank: int) -> Trust:
    """Give what is stored as a rank."""
    return _RANKED[rank]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which write a memory came by; `created_at` of the memory says when."""

    key_id: str | None
    """None for what the command line wrote."""
    route: str
    """The operation, as "POST /api/v1/memories", or the command."""
    batch_id: UUID
    """What was written by one call, or one import, has one batch id."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who writes, and how. What they write is trusted no more than they are."""

    trust: Trust = Trust.TRUSTED
    key_id: str | None = None
    route: str = "direct"
    batch_id: UUID | None = None
    """None makes one for the call."""
