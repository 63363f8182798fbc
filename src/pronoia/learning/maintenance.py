"""What could be mended in a user's memory, found in the working set. Nothing is changed here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from pronoia.domain.maintenance import MaintenanceKind
from pronoia.domain.records import RelationshipType
from pronoia.learning.near_duplicates import find_duplicates
from pronoia.memory.columns import split
from pronoia.memory.link_table import RELATIONSHIP_TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.domain.records import Memory
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
    key: bytes
    """The 16 bytes of the relationship's id."""
    row: int
    other: int
    fault: str


def find_maintenance(held: WorkingSet, now: float) -> Findings:
    """Look for duplicates, stale memories and relationships that do not hold; `now` in seconds since the epoch."""
    size = held.size
    unused = _days_unused(held, now)
    alive, helpfulness, count = held.alive[:size], held.helpfulness[:size], held.usage_count[:size]
    pairs = find_duplicates(held)
    outdated = np.flatnonzero(alive & (helpfulness <= np.float32(UNHELPFUL)) & (unused >= OUTDATED_DAYS))
    never_used = (count == 0) & np.isnan(held.last_accessed[:size])
    archivable = np.flatnonzero(alive & never_used & (unused >= ARCHIVE_DAYS))
    broken = _find_broken(held)
    return Findings(
        duplicates=[_duplicate(held, pair, unused) for pair in pairs.first(MOST_DUPLICATES)],
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
    relationship_id = UUID(bytes=broken.key)
    return Suggestion(
        id=f"{MaintenanceKind.REMOVE_LINK}:{relationship_id}",
        type=SuggestionType.REMOVE_LINK,
        memory=held.memory(broken.row),
        reason=broken.fault,
        score=1.0,
        days_unused=float(unused[broken.row]),
        related=(held.memory(broken.other),),
        relationship_id=relationship_id,
    )


def _find_broken(held: WorkingSet) -> list[_Broken]:
    """Find relationships that cannot hold, in the order of their ids. Foreign keys see to it that both ends exist."""
    columns = held.links.columns()
    rows, others = np.split(held.rows_of_ids(np.concatenate((columns.from_ids, columns.to_ids))), 2)
    # One that is -1 was deleted meanwhile.
    checked = np.flatnonzero((rows >= 0) & (others >= 0))
    types, created_at = columns.types[checked], columns.created_at[checked]
    found: list[_Broken] = []
    for fault, places in _faults(held, rows[checked], others[checked], types, created_at):
        broken: list[int] = checked[places].tolist()
        keys = split(columns.ids[broken].tobytes())
        found += [_Broken(key, int(rows[at]), int(others[at]), fault) for key, at in zip(keys, broken, strict=True)]
    return sorted(found, key=lambda one: one.key)


def _faults(
    held: WorkingSet,
    rows: NDArray[np.intp],
    others: NDArray[np.intp],
    types: NDArray[np.intp],
    created_at: NDArray[np.float64],
) -> list[tuple[str, NDArray[np.intp]]]:
    """Give each fault with the places of the relationships that have it; arrays are aligned."""
    kinds = (RelationshipType.FOLLOWS, RelationshipType.CAUSED_BY, RelationshipType.SIMILAR_TO)
    follows, caused, similar = (types == RELATIONSHIP_TYPES.index(kind) for kind in kinds)
    sessions = held.sessions.codes
    elsewhere = (sessions[rows] >= 0) & (sessions[others] >= 0) & (sessions[rows] != sessions[others])
    later = held.occurred_at[rows] < held.occurred_at[others]
    rewritten = np.maximum(held.updated_at[rows], held.updated_at[others]) > created_at
    doubtful = np.flatnonzero(similar & rewritten & held.embedded[rows] & held.embedded[others])
    cosines = np.einsum("ij,ij->i", held.vectors[rows[doubtful]], held.vectors[others[doubtful]])
    return [
        ("Follows a memory of another session.", np.flatnonzero(follows & elsewhere)),
        ("Follows a memory that came later.", np.flatnonzero(follows & ~elsewhere & later)),
        ("Is caused by a memory that came later.", np.flatnonzero(caused & later)),
        ("One of the two was rewritten, and they are not alike any more.", doubtful[cosines < NO_LONGER_SIMILAR]),
    ]
