"""Parts of the memory of users who are above the resident limit, read for one question each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.memory.working_set import WorkingSet

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.ports.memory_store import MemoryStore
    from pronoia.ports.snapshots import Snapshot

MOST_USED_LAST = 1_000
MOST_OF_A_KIND = 1_000
"""Memories used last, never used, and judged unhelpful, that maintenance looks at."""


class Excerpts:
    """Working sets of what was asked for alone: whoever reads whole ones can read these."""

    def __init__(self, store: MemoryStore, *, space: str, dimensions: int) -> None:
        self._store = store
        self._space = space
        self._dimensions = dimensions

    async def last_used(self, scope: Scope) -> WorkingSet:
        """Give the MOST_USED_LAST memories that were used last, with the history of uses."""
        return self._of(scope, await self._store.last_used(scope, self._space, MOST_USED_LAST))

    async def mendable(self, scope: Scope, *, unhelpful: float) -> WorkingSet:
        """Give what could need mending, at most MOST_OF_A_KIND of each kind; see MemoryStore."""
        return self._of(
            scope, await self._store.mendable(scope, self._space, unhelpful=unhelpful, limit=MOST_OF_A_KIND)
        )

    async def memory_count(self, scope: Scope) -> int:
        """Count all that the user has."""
        return (await self._store.state(scope)).memory_count

    async def neighbourhood(self, scope: Scope, memory_id: UUID, *, steps: int, edges: int, limit: int) -> WorkingSet:
        """Give a memory and those around it; see MemoryStore."""
        return self._of(
            scope,
            await self._store.neighbourhood(scope, self._space, memory_id, steps=steps, edges=edges, limit=limit),
        )

    def _of(self, scope: Scope, snapshot: Snapshot) -> WorkingSet:
        held = WorkingSet(scope, self._space, self._dimensions)
        held.apply(snapshot)
        return held
