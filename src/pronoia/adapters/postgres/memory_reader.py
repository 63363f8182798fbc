"""The reads of MemoryStore that answer about single memories, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.rows import memory_of, opened_memory
from pronoia.domain.errors import NotFoundError
from pronoia.domain.records import RelationshipType, Revision
from pronoia.ports.memory_store import RelationshipCount
from pronoia.ports.snapshots import UserState

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.adapters.postgres.text_cipher import Texts
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Filters, Memory


def filter_arguments(filters: Filters) -> tuple[object, ...]:
    """Give the filters as the arguments of the queries that take them, in their order; null means no condition."""
    return (
        filters.project_id,
        msgspec.json.encode(filters.tags).decode() if filters.tags else None,
        filters.source,
        filters.session_id,
        filters.agent_id,
        filters.created_after,
        filters.created_before,
        msgspec.json.encode(dict(filters.metadata)).decode() if filters.metadata else None,
    )


def least_trust(filters: Filters) -> int | None:
    """Give the least rank that the filters want; null means no condition."""
    return None if filters.minimum_trust is None else filters.minimum_trust.rank


class MemoryReader:
    """Reads single memories, pages of them and their histories."""

    def __init__(self, database: Database, *, texts: Texts) -> None:
        self._database = database
        self._texts = texts

    async def state(self, scope: Scope) -> UserState:
        """Give zeros for a user who has never written."""
        async with self._database.reading(scope.organisation_id) as connection:
            row = await connection.fetchrow(QUERIES["user_state"], scope.organisation_id, scope.user_id)
        if row is None:
            return UserState(0, 0, 0)
        return UserState(row["memory_version"], row["activity"], row["memory_count"])

    async def memory(self, scope: Scope, memory_id: UUID) -> Memory:
        """Give one memory. Raises NotFoundError."""
        async with self._database.reading(scope.organisation_id) as connection:
            row = await connection.fetchrow(QUERIES["read_memory"], scope.organisation_id, scope.user_id, memory_id)
        if row is None:
            raise NotFoundError("There is no such memory.", id=str(memory_id))
        cipher = await self._texts.reading(scope.organisation_id)
        return opened_memory(memory_of(row), cipher)

    async def link_count(self, scope: Scope, memory_id: UUID) -> int:
        """Count the relationships from and to a memory."""
        async with self._database.reading(scope.organisation_id) as connection:
            return await connection.fetchval(QUERIES["count_links"], scope.organisation_id, scope.user_id, memory_id)

    async def page(
        self,
        scope: Scope,
        filters: Filters,
        before: UUID | None,
        offset: int,
        limit: int,
        *,
        ascending: bool = False,
    ) -> tuple[list[Memory], int]:
        """Give up to `limit` memories that come after `before` in the order, and how many match in all."""
        query = QUERIES["read_page_oldest" if ascending else "read_page"]
        arguments = (scope.organisation_id, scope.user_id, *filter_arguments(filters))
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(query, *arguments, before, offset, limit, least_trust(filters))
            total: int = await connection.fetchval(QUERIES["count_page"], *arguments, least_trust(filters))
        cipher = await self._texts.reading(scope.organisation_id)
        return [opened_memory(memory_of(row), cipher) for row in rows], total

    async def relationship_types(self, scope: Scope) -> list[RelationshipCount]:
        """Count relationships by type."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(QUERIES["count_relationships"], scope.organisation_id, scope.user_id)
        return [RelationshipCount(RelationshipType(row["type"]), row["count"], row["average_strength"]) for row in rows]

    async def history(self, scope: Scope, memory_id: UUID) -> list[Revision]:
        """Give what happened to a memory, oldest first. Raises NotFoundError if nothing ever did."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(QUERIES["read_history"], scope.organisation_id, scope.user_id, memory_id)
        if not rows:
            raise NotFoundError("There is no such memory.", id=str(memory_id))
        cipher = await self._texts.reading(scope.organisation_id)
        texts = [
            [None if text is None else cipher.open(scope.user_id, memory_id, text) for text in row]
            for row in ((row["old_text"], row["new_text"]) for row in rows)
        ]
        return [
            Revision(memory_id, row["event"], row["version"], row["at"], old, new)
            for row, (old, new) in zip(rows, texts, strict=True)
        ]
