from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.client import requests
from pronoia.client._async.verbs import AsyncVerbs
from pronoia.client.filters import resolve_filters
from pronoia.client.models import Context, HistoryAnswer, Memory, MemoryPage, RecallResult, Revision, SearchResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from pronoia.client.requests import Identifier

PAGE_SIZE = 100


class AsyncReading(AsyncVerbs):
    """The verbs that find memories again."""

    async def search(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, object] | None = None,
        limit: int = 10,
        min_score: float | None = None,
        explain: bool = False,
        project_id: str | None = None,
        source: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, object] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        weight_by_usage: bool | None = None,
        decay_old_memories: bool | None = None,
        learning_mode: bool | None = None,
        min_helpfulness_score: float | None = None,
    ) -> SearchResult:
        """Find the memories that answer a query, best first.

        Conditions may be given as arguments or in `filters` (see `resolve_filters`); `{"user_id": "ada", "topic":
        "tea"}` means memories of ada whose metadata says topic is tea. All tags must be present. `min_score` in
        [0, 1] cuts off weak answers. `learning_mode` counts the results as used.
        """
        conditions = resolve_filters(
            filters,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
            project_id=project_id,
            source=source,
            tags=tags,
            metadata=metadata,
            created_after=created_after,
            created_before=created_before,
        )
        body = {
            **conditions.fields,
            "query": query,
            "limit": limit,
            "min_score": min_score,
            "explain": explain or None,
            "weight_by_usage": weight_by_usage,
            "decay_old_memories": decay_old_memories,
            "learning_mode": learning_mode,
            "min_helpfulness_score": min_helpfulness_score,
        }
        return await self._transport.send(
            requests.read("/memories/search", conditions.user_id, body=body), SearchResult
        )

    async def recall(
        self,
        query: str,
        *,
        user_id: str | None = None,
        limit: int = 10,
        project_id: str | None = None,
        organized: bool = False,
        min_helpfulness_score: float | None = None,
    ) -> RecallResult:
        """Find memories in the short form that a prompt needs; with `organized`, also summed up by category."""
        body = {
            "query": query,
            "limit": limit,
            "project_id": project_id,
            "organized": organized or None,
            "min_helpfulness_score": min_helpfulness_score,
        }
        return await self._transport.send(requests.read("/memories/recall", user_id, body=body), RecallResult)

    async def context(
        self,
        query: str,
        *,
        user_id: str | None = None,
        limit: int = 10,
        project_id: str | None = None,
        conversation_history: Sequence[str] | None = None,
    ) -> Context:
        """Choose the memories to put before a model that is about to answer `query`, given the turns before it."""
        body = {
            "query": query,
            "limit": limit,
            "project_id": project_id,
            "conversation_history": conversation_history,
        }
        return await self._transport.send(requests.read("/context", user_id, body=body), Context)

    async def get(self, memory_id: Identifier, *, user_id: str | None = None, context: str | None = None) -> Memory:
        """Get a memory, which counts as a use; `context` says what for. Raises NotFoundError if there is none."""
        request = requests.read(requests.path_to("/memories", memory_id), user_id, {"context": context})
        return await self._transport.send(request, Memory)

    async def history(self, memory_id: Identifier, *, user_id: str | None = None) -> list[Revision]:
        """Get every version a memory had, oldest first, its deletion included."""
        request = requests.read(requests.path_to("/memories", memory_id, "/history"), user_id)
        answer = await self._transport.send(request, HistoryAnswer)
        return answer.history

    async def get_page(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, object] | None = None,
        project_id: str | None = None,
        source: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, object] | None = None,
        limit: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> MemoryPage:
        """Get one page of memories, newest first. `cursor` is the `next_cursor` of the page before."""
        conditions = resolve_filters(
            filters,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
            project_id=project_id,
            source=source,
            tags=tags,
            metadata=metadata,
        )
        query = requests.page_query(conditions, limit, cursor)
        return await self._transport.send(requests.read("/memories", conditions.user_id, query), MemoryPage)

    async def iterate(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, object] | None = None,
        project_id: str | None = None,
        source: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, object] | None = None,
        limit: int | None = None,
        page_size: int = PAGE_SIZE,
    ) -> AsyncIterator[Memory]:
        """Go through memories, newest first, a page at a time; at most `limit` of them, or all."""
        cursor = None
        taken = 0
        while limit is None or taken < limit:
            page = await self.get_page(
                user_id=user_id,
                agent_id=agent_id,
                run_id=run_id,
                filters=filters,
                project_id=project_id,
                source=source,
                tags=tags,
                metadata=metadata,
                limit=page_size if limit is None else min(page_size, limit - taken),
                cursor=cursor,
            )
            for memory in page.memories:
                yield memory
            taken += len(page.memories)
            # A server that gives the same cursor again would keep this going for ever.
            if page.next_cursor is None or page.next_cursor == cursor:
                return
            cursor = page.next_cursor

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        filters: Mapping[str, object] | None = None,
        project_id: str | None = None,
        source: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, object] | None = None,
        limit: int | None = None,
        page_size: int = PAGE_SIZE,
    ) -> list[Memory]:
        """Get memories, newest first, however many pages that takes; at most `limit` of them, or all."""
        memories = self.iterate(
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
            filters=filters,
            project_id=project_id,
            source=source,
            tags=tags,
            metadata=metadata,
            limit=limit,
            page_size=page_size,
        )
        return [memory async for memory in memories]
