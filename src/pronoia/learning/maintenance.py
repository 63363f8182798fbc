"""What could be mended in a user's memory, found in the working set. Nothing is changed here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from pronoia.domain.maintenance import MaintenanceKind
from pronoia.domain.records import RelationshipType
from pronoia.learning.near_duplicates import find_duplicates

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from numpy.typing import NDArray

    from pronoia.domain.records import Memory, Relationship
    from pronoia.learning.near_duplicates import DuplicatePair
    from pronoia.memory.working_set import WorkingSet

SECONDS_OF_A_DAY = 86_400
UNHELPFUL = 0.3
OUTDATED_DAYS = 90
ARCHIVE_DAYS = 180
NO_LONGER_SIMILAR = 0.5
"""Cosine below which two memories that were once found alike have nothing in common any more."""
MOST_DUPLICATES = 10
MOST_OTHERS = 20


class SuggestionType(StrEnum):
    MERGE = "merge"
    REVIEW = "review"
    UPDATE_OR_REMOVE = "update_or_remove"
    ARCHIVE = "archive"
    REMOVE_LINK = "remove_link"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`id` names what applying it does, and is the same whenever the same is suggested."""

    id: str
    type: SuggestionType
    memory: Memory
    reason: str
    score: float
    """How sure it is, in [0, 1]."""
    days_unused: float
    """Days since the memory was last used, or stored if it never was."""
    related: tuple[Memory, ...] = ()
    relationship_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """The most pressing of each kind, and how many there are in all."""

    duplicates: list[Suggestion]
    outdated: list[Suggestion]
    archivable: list[Suggestion]
    broken: list[Suggestion]
    duplicate_count: int
    outdated_count: int
    archivable_count: int
    broken_count: int


@dataclass(frozen=True, slots=True)
class _Broken:
    link: Relationship
    row: int
    other: int
    fault: str


def find_maintenance(held: WorkingSet, links: Iterable[Relationship], now: float) -> Findings:
    """Look for duplicates, stale memories and relationships that do not hold; `now` in seconds since the epoch.

    `links` are those of the set at one moment, because it may go on changing meanwhile.
    """
    size = held.size
    unused = _days_unused(held, now)
    alive, helpfulness, count = held.alive[:size], held.helpfulness[:size], held.usage_count[:size]
    pairs = find_duplicates(held)
    outdated = np.flatnonzero(alive & (helpfulness <= np.float32(UNHELPFUL)) & (unused >= OUTDATED_DAYS))
    never_used = (count == 0) & np.isnan(held.last_accessed[:size])
    archivable = np.flatnonzero(alive & never_used & (unused >= ARCHIVE_DAYS))
    broken = _find_broken(held, links)
    return Findings(
        duplicates=[_duplicate(held, pair, unused) for pair in pairs[:MOST_DUPLICATES]],
        outdated=[_outdated(held, row, unused) for row in _most(outdated, -helpfulness)],
        archivable=[_archivable(held, row, unused) for row in _most(archivable, unused)],
        broken=[_broken(held, one, unused) for one in broken[:MOST_OTHERS]],
        duplicate_count=len(pairs),
        outdated_count=len(outdated),
        archivable_count=len(archivable),
        broken_count=len(broken),
    )


def _days_unused(held: WorkingSet, now: float) -> NDArray[np.float64]:
    last = held.last_accessed[: held.size]
    since = np.where(np.isnan(last), held.created_at[: held.size], last)
    return np.maximum(now - since, 0) / SECONDS_OF_A_DAY


def _most(rows: NDArray[np.intp], measure: NDArray[np.floating]) -> list[int]:
    return rows[np.lexsort((rows, -measure[rows]))][:MOST_OTHERS].tolist()


def _duplicate(held: WorkingSet, pair: DuplicatePair, unused: NDArray[np.float64]) -> Suggestion:
    kept, removed = held.memory(pair.kept), held.memory(pair.removed)
    if pair.is_safe:
        reason = "Says the same as another memory." if pair.similarity == 1 else "Says nothing that another does not."
    else:
        reason = "Is much like another memory, but they may not mean the same."
    return Suggestion(
        id=f"{MaintenanceKind.MERGE}:{kept.id}:{removed.id}",
        type=SuggestionType.MERGE if pair.is_safe else SuggestionType.REVIEW,
        memory=kept,
        reason=reason,
        score=round(pair.similarity, 4),
        days_unused=float(unused[pair.kept]),
        related=(removed,),
    )


def _outdated(held: WorkingSet, row: int, unused: NDArray[np.float64]) -> Suggestion:
    memory = held.memory(row)
    return Suggestion(
        id=f"{MaintenanceKind.ARCHIVE}:{memory.id}",
        type=SuggestionType.UPDATE_OR_REMOVE,
        memory=memory,
        reason=f"Was judged unhelpful and has not been used for {int(unused[row])} days.",
        score=round(1 - memory.helpfulness_score, 4),
        days_unused=float(unused[row]),
    )


def _archivable(held: WorkingSet, row: int, unused: NDArray[np.float64]) -> Suggestion:
    memory = held.memory(row)
    return Suggestion(
        id=f"{MaintenanceKind.ARCHIVE}:{memory.id}",
        type=SuggestionType.ARCHIVE,
        memory=memory,
        reason=f"Has never been used in {int(unused[row])} days.",
        score=round(float(unused[row]) / (float(unused[row]) + ARCHIVE_DAYS), 4),
        days_unused=float(unused[row]),
    )


def _broken(held: WorkingSet, broken: _Broken, unused: NDArray[np.float64]) -> Suggestion:
    return Suggestion(
        id=f"{MaintenanceKind.REMOVE_LINK}:{broken.link.id}",
        type=SuggestionType.REMOVE_LINK,
        memory=held.memory(broken.row),
        reason=broken.fault,
        score=1.0,
        days_unused=float(unused[broken.row]),
        related=(held.memory(broken.other),),
        relationship_id=broken.link.id,
    )


def _find_broken(held: WorkingSet, links: Iterable[Relationship]) -> list[_Broken]:
    found: list[_Broken] = []
    for link in links:
        row, other = held.row_of(link.memory_id), held.row_of(link.related_memory_id)
        if row is None or other is None:
            continue  # deleted since
        fault = _fault(held, link, row, other)
        if fault is not None:
            found.append(_Broken(link, row, other, fault))
    return sorted(found, key=lambda one: one.link.id)


def _fault(held: WorkingSet, link: Relationship, row: int, other: int) -> str | None:
    """Say what is wrong with a relationship. Both its ends exist: foreign keys see to that."""
    match link.type:
        case RelationshipType.FOLLOWS if _is_of_another_session(held, row, other):
            return "Follows a memory of another session."
        case RelationshipType.FOLLOWS if held.occurred_at[row] < held.occurred_at[other]:
            return "Follows a memory that came later."
        case RelationshipType.CAUSED_BY if held.occurred_at[row] < held.occurred_at[other]:
            return "Is caused by a memory that came later."
        case RelationshipType.SIMILAR_TO if _was_rewritten(held, link, row, other):
            return "One of the two was rewritten, and they are not alike any more."
        case _:
            return None


def _is_of_another_session(held: WorkingSet, row: int, other: int) -> bool:
    session, before = held.sessions.name(row), held.sessions.name(other)
    return session is not None and before is not None and session != before


def _was_rewritten(held: WorkingSet, link: Relationship, row: int, other: int) -> bool:
    if max(held.updated_at[row], held.updated_at[other]) <= link.created_at.timestamp():
        return False
    if not (held.embedded[row] and held.embedded[other]):
        return False
    return bool(held.vectors[row] @ held.vectors[other] < NO_LONGER_SIMILAR)
