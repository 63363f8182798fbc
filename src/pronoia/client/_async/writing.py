from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.client import requests
from pronoia.client._async.verbs import AsyncVerbs
from pronoia.client.models import FeedbackResult, LearnedMemory, Memory, MemoryBatch, NewMemory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pronoia.client.requests import Identifier, Messages


class AsyncWriting(AsyncVerbs):
    """The verbs that change what is remembered."""

    async def add(
        self,
        messages: Messages,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: Sequence[str] | None = None,
        source: str | None = None,
        project_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> list[Memory]:
        """Store a text, or a conversation as one memory a message.

        A message is a mapping with `role` and `content`; the role becomes the memory's speaker. `run_id` names the
        session. Gives the stored memories in order. Raises TypeError for a message without text.
        """
        common = _draft(
            "",
            agent_id=agent_id,
            run_id=run_id,
            metadata=metadata,
            tags=tags,
            source=source,
            project_id=project_id,
        )
        drafts = requests.to_drafts(messages, common)
        return await self.add_many(drafts, user_id=user_id, idempotency_key=idempotency_key)

    async def add_many(
        self,
        memories: Sequence[NewMemory | str],
        *,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> list[Memory]:
        """Store many memories, up to 100 in a request, and give them as stored, in order.

        Each request is stored whole or not at all. If one fails, those before it stay stored; calling again with the
        same memories and the same `idempotency_key` within 24 hours stores the rest and nothing twice.
        """
        stored: list[Memory] = []
        for body, key in requests.batches(memories, idempotency_key):
            request = requests.write("POST", "/memories/batch", user_id, body, idempotency_key=key)
            answer = await self._transport.send(request, MemoryBatch)
            stored.extend(answer.memories)
        return stored

    async def remember(
        self,
        text: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: Sequence[str] | None = None,
        source: str | None = None,
        project_id: str | None = None,
        speaker: str | None = None,
        occurred_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Memory:
        """Store one text exactly as given. `occurred_at` (aware) says when it happened, if that is not now."""
        draft = _draft(
            text,
            agent_id=agent_id,
            run_id=run_id,
            metadata=metadata,
            tags=tags,
            source=source,
            project_id=project_id,
            speaker=speaker,
            occurred_at=occurred_at,
        )
        body = requests.encode(draft)
        request = requests.write("POST", "/memories", user_id, body, idempotency_key=idempotency_key)
        return await self._transport.send(request, Memory)

    async def learn(
        self,
        text: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: Sequence[str] | None = None,
        source: str | None = None,
        project_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> LearnedMemory:
        """Store one text as given, and let the server add a category, tags and an importance to its metadata.

        What `metadata` says wins over what the server finds.
        """
        draft = _draft(
            text,
            agent_id=agent_id,
            run_id=run_id,
            metadata=metadata,
            tags=tags,
            source=source,
            project_id=project_id,
        )
        body = requests.encode(draft)
        request = requests.write("POST", "/memories/learn", user_id, body, idempotency_key=idempotency_key)
        return await self._transport.send(request, LearnedMemory)

    async def update(
        self,
        memory_id: Identifier,
        *,
        text: str | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: Sequence[str] | None = None,
        project_id: str | None = None,
        user_id: str | None = None,
    ) -> Memory:
        """Replace what is given and keep the rest. Metadata and tags are replaced as a whole, not merged."""
        fields = requests.present({"text": text, "metadata": metadata, "tags": tags, "project_id": project_id})
        path = requests.path_to("/memories", memory_id)
        request = requests.write("PUT", path, user_id, requests.encode(fields))
        return await self._transport.send(request, Memory)

    async def delete(self, memory_id: Identifier, *, user_id: str | None = None) -> None:
        """Delete a memory and what was learned from it. Raises NotFoundError if there is none."""
        await self._transport.run(requests.write("DELETE", requests.path_to("/memories", memory_id), user_id))

    async def delete_all(self, *, user_id: str | None = None) -> None:
        """Forget a user: every memory, relationship and learned weight.

        Raises ValueError if neither the call nor the client names the user: too much would be lost by a guess.
        """
        user = user_id or self._settings.user_id
        if not user:
            raise ValueError("Name the user to forget: pass user_id, here or to the client.")
        self._transport.forget_version(user)
        await self._transport.run(requests.write("DELETE", "/memories", user, query={"user_id": user}))

    async def feedback(
        self,
        memory_id: Identifier,
        helpful: bool,
        *,
        context: str | None = None,
        user_satisfaction: float | None = None,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> FeedbackResult:
        """Say whether a memory helped, and how satisfied the user was, in [0, 1]."""
        fields = {"helpful": helpful, "context": context, "user_satisfaction": user_satisfaction}
        path = requests.path_to("/memories", memory_id, "/feedback")
        body = requests.encode(requests.present(fields))
        request = requests.write("POST", path, user_id, body, idempotency_key=idempotency_key)
        return await self._transport.send(request, FeedbackResult)


def _draft(
    text: str,
    *,
    agent_id: str | None,
    run_id: str | None,
    metadata: Mapping[str, object] | None,
    tags: Sequence[str] | None,
    source: str | None,
    project_id: str | None,
    speaker: str | None = None,
    occurred_at: datetime | None = None,
) -> NewMemory:
    return NewMemory(
        text,
        agent_id=agent_id,
        run_id=run_id,
        metadata=None if metadata is None else dict(metadata),
        tags=None if tags is None else list(tags),
        source=source,
        project_id=project_id,
        speaker=speaker,
        occurred_at=occurred_at,
    )
