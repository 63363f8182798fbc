"""The reads of MemoryStore that fill working sets: whole users or what changed, by column, never row by row."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import fetch_one, halfvec
from pronoia.adapters.postgres.link_copy import load_links
from pronoia.adapters.postgres.memory_reader import filter_arguments, least_trust
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.rows import relationship_of
from pronoia.ports.snapshots import AccessColumns, MemoryColumns, RelationshipColumns, Snapshot, UsageColumns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pronoia.adapters.postgres.driver import Connection, Row
    from pronoia.adapters.postgres.text_cipher import Texts
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Filters, Vector
    from pronoia.ports.snapshots import UserState

SLICE = 1_000
"""Memories in one row of a complete load: decoding one keeps the event loop for a millisecond."""
LONGEST_HISTORY = 50_000
"""Uses that a complete load reads; older ones say little about the next."""
NO_ACCESSES = AccessColumns()


class SnapshotLoader:
    """Reads users' memories, each snapshot in one consistent transaction."""

    def __init__(self, database: Database, *, texts: Texts) -> None:
        self._database = database
        self._texts = texts

    async def load(self, scope: Scope, space: str, since: UserState | None) -> Snapshot:
        """Read what changed after `since`; everything if that is None, or from before what can be told one by one."""
        async with self._database.reading(scope.organisation_id) as connection:
            changes = None if since is None else await _load_changes(connection, scope, space, since)
            snapshot = changes or await _load_all(connection, scope, space)
        return await self._opened(scope, snapshot)

    async def candidates(
        self, scope: Scope, space: str, vector: Vector | None, words: str, filters: Filters, limit: int
    ) -> Snapshot:
        """Read up to `limit` memories near the vector and up to `limit` that share words, as a snapshot of these."""
        query = None if vector is None else halfvec(vector.values)
        user = (scope.organisation_id, scope.user_id)
        async with self._database.reading(scope.organisation_id) as connection:
            state = await connection.fetchrow(QUERIES["user_state"], *user)
            ids: list[UUID] = await connection.fetchval(
                QUERIES["search_candidates"],
                *(scope.user_id, space, query, words),
                *filter_arguments(filters),
                limit,
                least_trust(filters),
            )
            snapshot = await _load_some(connection, scope, space, ids, state)
        return await self._opened(scope, snapshot)

    async def last_used(self, scope: Scope, space: str, limit: int) -> Snapshot:
        """Read the `limit` memories used last, their uses, and the relationships among them."""
        user = (scope.organisation_id, scope.user_id)
        async with self._database.reading(scope.organisation_id) as connection:
            state = await connection.fetchrow(QUERIES["user_state"], *user)
            ids: list[UUID] = await connection.fetchval(QUERIES["last_used"], *user, LONGEST_HISTORY, limit)
            accesses = await fetch_one(connection, QUERIES["load_accesses"], *user, LONGEST_HISTORY)
            snapshot = await _load_some(connection, scope, space, ids, state, _accesses(accesses))
        return await self._opened(scope, snapshot)

    async def mendable(self, scope: Scope, space: str, *, unhelpful: float, limit: int) -> Snapshot:
        """Read what maintenance has to see of a user, and the relationships among it."""
        user = (scope.organisation_id, scope.user_id)
        async with self._database.reading(scope.organisation_id) as connection:
            state = await connection.fetchrow(QUERIES["user_state"], *user)
            ids: list[UUID] = await connection.fetchval(QUERIES["mendable"], *user, LONGEST_HISTORY, limit, unhelpful)
            return await _load_some(connection, scope, space, ids, state)

    async def neighbourhood(
        self, scope: Scope, space: str, memory_id: UUID, *, steps: int, edges: int, limit: int
    ) -> Snapshot:
        """Read up to `limit` memories at most so many steps away from one, and the relationships among them."""
        user = (scope.organisation_id, scope.user_id)
        reached = {memory_id: None}
        frontier = [memory_id]
        async with self._database.reading(scope.organisation_id) as connection:
            state = await connection.fetchrow(QUERIES["user_state"], *user)
            # Where a step leads is known only after the one before; most users' walks end after a few.
            for _ in range(steps):
                found: list[UUID] = await connection.fetchval(QUERIES["read_neighbours"], *user, frontier, edges)
                frontier = [one for one in found if one not in reached][: limit - len(reached)]
                reached |= dict.fromkeys(frontier)
                if not frontier:
                    break
            snapshot = await _load_some(connection, scope, space, list(reached), state)
        return await self._opened(scope, snapshot)

    async def _opened(self, scope: Scope, snapshot: Snapshot) -> Snapshot:
        """Give the texts as they were before they were sealed."""
        memories = snapshot.memories
        cipher = await self._texts.reading(scope.organisation_id)
        texts = await cipher.open_column(scope.user_id, memories.ids, memories.texts)
        return replace(snapshot, memories=replace(memories, texts=texts))


async def _load_all(connection: Connection, scope: Scope, space: str) -> Snapshot:
    user = (scope.organisation_id, scope.user_id)
    state = await connection.fetchrow(QUERIES["user_state"], *user)
    rows = await connection.fetch(QUERIES["load_memories"], *user, space, SLICE)
    usage = await connection.fetchrow(QUERIES["load_usage"], *user)
    links = await load_links(connection, scope)
    accesses = await fetch_one(connection, QUERIES["load_accesses"], *user, LONGEST_HISTORY)
    return _snapshot(state, memories=rows, usage=usage, links=links, accesses=_accesses(accesses))


async def _load_some(
    connection: Connection,
    scope: Scope,
    space: str,
    ids: Sequence[UUID],
    state: Row | None,
    accesses: AccessColumns = NO_ACCESSES,
) -> Snapshot:
    user = (scope.organisation_id, scope.user_id)
    rows = await connection.fetch(QUERIES["read_memories"], *user, space, ids)
    usage = await connection.fetchrow(QUERIES["read_usage"], *user, ids)
    relationships = await connection.fetch(QUERIES["read_relationships_among"], *user, ids)
    return _snapshot(state, memories=rows, usage=usage, relationships=relationships, accesses=accesses)


async def _load_changes(connection: Connection, scope: Scope, space: str, since: UserState) -> Snapshot | None:
    """Read what changed, or None if that is not known any more."""
    user = (scope.organisation_id, scope.user_id)
    changed = await connection.fetchrow(QUERIES["changed_ids"], *user, since.version, since.activity)
    if changed is None or not changed["available"]:
        return None
    rows = (
        await connection.fetch(QUERIES["read_memories"], *user, space, changed["memories"])
        if changed["memories"]
        else ()
    )
    usage = await connection.fetchrow(QUERIES["read_usage"], *user, changed["used"]) if changed["used"] else None
    relationships = (
        await connection.fetch(QUERIES["read_relationships"], *user, changed["relationships"])
        if changed["relationships"]
        else ()
    )
    accesses = (
        await connection.fetchrow(QUERIES["read_accesses"], *user, since.activity)
        if changed["activity"] > since.activity
        else None
    )
    return Snapshot(
        version=changed["memory_version"],
        activity=changed["activity"],
        complete=False,
        memories=_columns(rows),
        usage=_usage(usage),
        relationships=[relationship_of(row) for row in relationships],
        removed_memories=changed["removed_memories"],
        removed_relationships=changed["removed_relationships"],
        accesses=_accesses(accesses),
    )


def _snapshot(
    state: Row | None,
    *,
    memories: Sequence[Row],
    usage: Row | None,
    relationships: Sequence[Row] = (),
    links: RelationshipColumns | None = None,
    accesses: AccessColumns = NO_ACCESSES,
) -> Snapshot:
    return Snapshot(
        version=0 if state is None else state["memory_version"],
        activity=0 if state is None else state["activity"],
        complete=True,
        memories=_columns(memories),
        usage=_usage(usage),
        relationships=[relationship_of(row) for row in relationships],
        removed_memories=[],
        removed_relationships=[],
        accesses=accesses,
        links=links or RelationshipColumns(),
    )


def _accesses(row: Row | None) -> AccessColumns:
    return NO_ACCESSES if row is None else AccessColumns(row["memory_ids"], row["times"])


def _usage(row: Row | None) -> UsageColumns:
    if row is None or row["ids"] is None:
        return UsageColumns()
    return UsageColumns(
        ids=row["ids"],
        usage_count=row["usage_count"],
        last_accessed=row["last_accessed"],
        helpfulness=row["helpfulness"],
    )


def _columns(slices: Sequence[Row]) -> MemoryColumns:
    """Put slices of columns behind one another. One without memories has null for each list."""
    filled = [row for row in slices if row["texts"] is not None]
    lists = {
        name: list(chain.from_iterable(row[name] for row in filled))
        for name in (
            *("embedded", "term_counts", "texts", "sources", "project_ids", "tags", "metadata", "session_ids"),
            *("agent_ids", "speakers", "occurred_at", "created_at", "updated_at", "duplicate_of"),
            *("trust", "written_by", "written_via"),
        )
    }
    return MemoryColumns(
        ids=b"".join(row["ids"] for row in filled),
        vectors=b"".join(row["vectors"] for row in filled),
        terms=b"".join(row["terms"] for row in filled),
        batch_ids=b"".join(row["batch_ids"] for row in filled),
        **lists,
    )
