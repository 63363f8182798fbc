"""WorkQueue on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import halfvec
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.identifiers import Scope
from pronoia.ports.memory_store import Written
from pronoia.ports.work_queue import PendingWork

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.records import Relationship, Vector
    from pronoia.ports.work_queue import WorkKind


class PostgresWorkQueue:
    """Hands out and closes the work that writing a memory left behind.

    A claim is known by when it ends. What was claimed again since, or queued anew because its text changed, ends at
    another time: a process that was frozen and wakes up late finds nothing of its own to finish.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, kind: WorkKind, limit: int, lease_seconds: float) -> list[PendingWork]:
        """Take up to `limit` memories' work for `lease_seconds`, twice as long for each earlier claim that failed."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["claim_work"], kind.value, limit, lease_seconds)
        return [
            PendingWork(Scope(row["organisation_id"], row["user_id"]), tuple(row["memory_ids"]), tuple(row["leases"]))
            for row in rows
        ]

    async def finish_links(self, work: PendingWork, relationships: Sequence[Relationship]) -> Written:
        """Store relationships that were found, and close the work. The version moves only if one was new."""
        return await self._finish(
            work.scope,
            "finish_links",
            list(work.memory_ids),
            list(work.leases),
            [one.id for one in relationships],
            [one.memory_id for one in relationships],
            [one.related_memory_id for one in relationships],
            [one.type.value for one in relationships],
            [one.strength for one in relationships],
            [one.explanation for one in relationships],
            [one.created_at for one in relationships],
        )

    async def finish_vectors(self, work: PendingWork, vectors: Sequence[tuple[UUID, Vector]]) -> Written:
        """Store vectors, close the work, and queue the memories to be linked by their vectors."""
        return await self._finish(
            work.scope,
            "finish_vectors",
            [memory_id for memory_id, _ in vectors],
            list(work.leases),
            [vector.space for _, vector in vectors],
            [halfvec(vector.values) for _, vector in vectors],
        )

    async def _finish(self, scope: Scope, query: str, *columns: Sequence[object]) -> Written:
        user = (scope.organisation_id, scope.user_id)
        async with self._database.writing(scope.organisation_id) as connection:
            version: int | None = await connection.fetchval(QUERIES["lock_user"], *user)
            if version is None:
                return Written(0)
            return Written(await connection.fetchval(QUERIES[query], *user, version, *columns))
