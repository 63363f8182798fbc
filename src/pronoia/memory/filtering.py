"""Which memories of a user meet what a request asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.domain.records import Filters
    from pronoia.memory.working_set import WorkingSet


def matching(held: WorkingSet, filters: Filters) -> NDArray[np.bool_]:
    """Mark living rows that meet all conditions; bool (n,)."""
    mask = held.alive.copy()
    for wanted, column in (
        (filters.project_id, held.projects),
        (filters.source, held.sources),
        (filters.session_id, held.sessions),
        (filters.agent_id, held.agents),
    ):
        if wanted is not None:
            mask &= column.codes == column.code(wanted)
    if filters.created_after is not None:
        mask &= held.created_at > filters.created_after.timestamp()
    if filters.created_before is not None:
        mask &= held.created_at < filters.created_before.timestamp()
    if filters.minimum_trust is not None:
        mask &= held.origins.trust >= filters.minimum_trust.rank
    if filters.tags or filters.metadata:
        for row in np.flatnonzero(mask).tolist():
            mask[row] = _says(held, row, filters)
    return mask


def _says(held: WorkingSet, row: int, filters: Filters) -> bool:
    if filters.tags and not set(filters.tags) <= set(held.tags(row)):
        return False
    if not filters.metadata:
        return True
    metadata = held.metadata(row)
    return all(key in metadata and _equal(metadata[key], value) for key, value in filters.metadata.items())


def _equal(stored: object, wanted: object) -> bool:
    """Compare JSON scalars: true is not 1, and 1 is 1.0."""
    return stored == wanted and isinstance(stored, bool) == isinstance(wanted, bool)
