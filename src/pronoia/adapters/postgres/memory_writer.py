"""The writes of MemoryStore. Each is one transaction under the user's lock, and happens once for each key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pronoia.adapters.postgres.audit_store import actor_columns, details_text
from pronoia.adapters.postgres.driver import fetch_one, halfvec
from pronoia.adapters.postgres.errors import KeyInUseError
from pronoia.adapters.postgres.outcomes import Outcome, encode, encode_memories, named_memories, replay, replay_added
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.rows import memory_of, opened_memory, receipt_columns, relationship_of
from pronoia.adapters.postgres.text_cipher import PLAIN_TEXTS
from pronoia.domain.audit import AuditAction
from pronoia.domain.erasures import receipt_of
from pronoia.domain.errors import NotFoundError
from pronoia.domain.records import Memory
from pronoia.ports.memory_store import Forgotten, Judged, Related, Written

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.adapters.postgres.driver import Connection, Row
    from pronoia.adapters.postgres.text_cipher import TextCipher, Texts
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.erasures import Erasure
    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Feedback, Idempotency, MemoryChanges, NewMemory, Relationship
    from pronoia.domain.trust import Provenance


Result = TypeVar("Result")
NAMED_IDS = 20
"""Ids that the audit log names of one write at most; it always counts them."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What the audit log is told of a write, and how many memories it adds."""

    action: AuditAction
    ids: Sequence[UUID] = ()
    added: int = 0

    @property
    def details(self) -> str:
        """Write how many things it is about, and the ids of the first."""
        return details_text({"count": len(self.ids), "ids": self.ids[:NAMED_IDS]})


@dataclass(frozen=True, slots=True)
class Write:
    """A write in progress: whose it is, and the version it will be known by."""

    connection: Connection
    user: tuple[UUID, str]
    version: int


class MemoryWriter:
    """Writes memories. Users with more than `resident_limit` of them go into the indexes that SQL searches by."""

    def __init__(self, database: Database, *, resident_limit: int, texts: Texts = PLAIN_TEXTS) -> None:
        self._database = database
        self._texts = texts
        self._resident_limit = resident_limit

    async def add(self, scope: Scope, memories: Sequence[NewMemory], idempotency: Idempotency | None) -> Written:
        """Store memories in one statement, however many."""
        cipher = await self._texts.writing(scope.organisation_id)
        sealed = [replace(memory, text=cipher.seal(scope.user_id, memory.id, memory.text)) for memory in memories]
        once: tuple[object, ...] = (None, None, None)
        if idempotency is not None:
            answer = encode_memories([_as_stored(memory, scope.user_id, None) for memory in sealed])
            once = (idempotency.key, idempotency.request_hash, answer)
        deed = Deed(AuditAction.MEMORY_CREATED, [memory.id for memory in memories])
        told = (*actor_columns(), deed.details)
        arguments = (
            *_user(scope),
            self._resident_limit,
            [memory.id for memory in memories],
            _earlier(memories),
            *_columns(sealed),
            *once,
            *told,
        )
        row = await _twice(partial(self._call_add, arguments))
        if row["outcome"] is not None and idempotency is not None:
            return _opened(replay_added(row["outcome"], row["request_hash"], idempotency), cipher)
        duplicates: dict[UUID, UUID] = dict(zip(row["repeating"] or (), row["repeated"] or (), strict=True))
        return Written(
            row["version"], tuple(_as_stored(memory, scope.user_id, duplicates.get(memory.id)) for memory in memories)
        )

    async def update(
        self, scope: Scope, memory_id: UUID, changes: MemoryChanges, at: datetime, idempotency: Idempotency | None
    ) -> Written:
        """Replace what is given; an earlier text stays in the history."""
        deed = Deed(AuditAction.MEMORY_UPDATED, [memory_id])
        cipher = await self._texts.writing(scope.organisation_id)
        if changes.text is not None:
            changes = replace(changes, text=cipher.seal(scope.user_id, memory_id, changes.text))
        written = await self._once(scope, idempotency, Written, partial(_update, memory_id, changes, at), deed)
        return _opened(written, cipher)

    async def delete(self, scope: Scope, memory_id: UUID, at: datetime, idempotency: Idempotency | None) -> Written:
        """Delete a memory, what was derived from it, and every kept answer that repeats its text."""
        deed = Deed(AuditAction.MEMORY_DELETED, [memory_id], added=-1)
        return await self._once(scope, idempotency, Written, partial(_delete, memory_id, at), deed)

    async def forget(self, scope: Scope, idempotency: Idempotency | None, erasure: Erasure) -> Forgotten:
        """Delete all of a user; what stays is a receipt, and the version without a name, so that others learn of it."""
        deed = Deed(AuditAction.PERSON_ERASED if erasure.keys else AuditAction.USER_FORGOTTEN)
        return await self._once(scope, idempotency, Forgotten, partial(_forget, scope, erasure), deed)

    async def judge(self, scope: Scope, memory_id: UUID, feedback: Feedback, idempotency: Idempotency | None) -> Judged:
        """Keep a judgement and move the memory's helpfulness."""
        deed = Deed(AuditAction.FEEDBACK_GIVEN, [memory_id])
        return await self._once(scope, idempotency, Judged, partial(_judge, memory_id, feedback), deed)

    async def relate(self, scope: Scope, relationship: Relationship, idempotency: Idempotency | None) -> Related:
        """Write a relationship. One of the same pair and type keeps its id and takes the new strength."""
        deed = Deed(AuditAction.RELATIONSHIP_CREATED, [relationship.memory_id, relationship.related_memory_id])
        return await self._once(scope, idempotency, Related, partial(_relate, relationship), deed)

    async def unrelate(self, scope: Scope, relationship_id: UUID, idempotency: Idempotency | None) -> Related:
        """Remove a relationship and give what it was."""
        deed = Deed(AuditAction.RELATIONSHIP_DELETED, [relationship_id])
        return await self._once(scope, idempotency, Related, partial(_unrelate, relationship_id), deed)

    async def _once(
        self,
        scope: Scope,
        idempotency: Idempotency | None,
        kind: type[Outcome],
        write: Callable[[Write], Awaitable[Outcome]],
        deed: Deed,
    ) -> Outcome:
        return await _twice(partial(self._try_once, scope, idempotency, kind, write, deed))

    async def _try_once(
        self,
        scope: Scope,
        idempotency: Idempotency | None,
        kind: type[Outcome],
        write: Callable[[Write], Awaitable[Outcome]],
        deed: Deed,
    ) -> Outcome:
        user = _user(scope)
        key = None if idempotency is None else idempotency.key
        told = (deed.action, *actor_columns(), deed.details)
        async with self._database.durable() as connection:
            begun = await fetch_one(connection, QUERIES["begin_write"], *user, deed.added, key, *told)
            if begun["outcome"] is not None and idempotency is not None:
                await connection.execute(QUERIES["confirm_earlier_commits"])
                return replay(begun["outcome"], begun["request_hash"], idempotency, kind)
            outcome = await write(Write(connection, user, begun["version"]))
            if idempotency is not None:
                kept = (key, idempotency.request_hash, named_memories(outcome), encode(outcome))
                await connection.execute(QUERIES["remember_outcome"], *user, *kept)
        return outcome

    async def _call_add(self, arguments: tuple[object, ...]) -> Row:
        async with self._database.durable(one_statement=True) as connection:
            row = await fetch_one(connection, QUERIES["add_memories"], *arguments)
            if row["outcome"] is not None:
                await connection.execute(QUERIES["confirm_earlier_commits"])
            return row


async def _twice(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Try again once if the same request was being served: by now its outcome can be read."""
    try:
        return await attempt()
    except KeyInUseError:
        return await attempt()


def _opened(written: Written, cipher: TextCipher) -> Written:
    """Outcomes are kept as texts are stored."""
    return replace(written, memories=tuple(opened_memory(memory, cipher) for memory in written.memories))


def _earlier(memories: Sequence[NewMemory]) -> list[UUID | None]:
    """Name for each memory the first one of the same text, if that is not itself."""
    first: dict[str, UUID] = {}
    for memory in memories:
        first.setdefault(memory.text, memory.id)
    return [None if first[memory.text] == memory.id else first[memory.text] for memory in memories]


def _columns(memories: Sequence[NewMemory]) -> tuple[object, ...]:
    """Turn memories into the columns of add_memories from the texts on, in its order."""
    return (
        [memory.text for memory in memories],
        [memory.source for memory in memories],
        [memory.project_id for memory in memories],
        [_json(memory.tags) for memory in memories],
        [memory.metadata for memory in memories],
        [memory.session_id for memory in memories],
        [memory.agent_id for memory in memories],
        [memory.speaker for memory in memories],
        [memory.occurred_at for memory in memories],
        [memory.created_at for memory in memories],
        [memory.terms for memory in memories],
        [None if memory.vector is None else memory.vector.space for memory in memories],
        [None if memory.vector is None else halfvec(memory.vector.values) for memory in memories],
        [memory.trust.rank for memory in memories],
        *_written(memories[0].provenance),
    )


def _written(provenance: Provenance | None) -> tuple[object, object, object]:
    """All memories of a call have the same."""
    return (None, None, None) if provenance is None else (provenance.batch_id, provenance.key_id, provenance.route)


def _as_stored(memory: NewMemory, user_id: str, duplicate_of: UUID | None) -> Memory:
    return Memory(
        id=memory.id,
        user_id=user_id,
        text=memory.text,
        source=memory.source,
        project_id=memory.project_id,
        tags=memory.tags,
        metadata=memory.metadata,
        session_id=memory.session_id,
        agent_id=memory.agent_id,
        speaker=memory.speaker,
        occurred_at=memory.occurred_at,
        created_at=memory.created_at,
        updated_at=memory.created_at,
        duplicate_of=duplicate_of,
        trust=memory.trust,
        provenance=memory.provenance,
    )


async def _update(memory_id: UUID, changes: MemoryChanges, at: datetime, write: Write) -> Written:
    vector = changes.vector
    row = await write.connection.fetchrow(
        QUERIES["update_memory"],
        *write.user,
        memory_id,
        write.version,
        changes.text,
        changes.source,
        changes.project_id,
        None if changes.tags is None else _json(changes.tags),
        changes.metadata,
        changes.terms,
        None if vector is None else halfvec(vector.values),
        at,
        None if vector is None else vector.space,
        changes.trust.rank,
        changes.key_id,
    )
    return Written(write.version, (memory_of(_found(row, memory_id)),))


async def _delete(memory_id: UUID, at: datetime, write: Write) -> Written:
    gone = await write.connection.fetchval(QUERIES["delete_memory"], *write.user, memory_id, write.version, at)
    if gone == 0:
        raise _unknown(memory_id)
    return Written(write.version)


async def _forget(scope: Scope, erasure: Erasure, write: Write) -> Forgotten:
    connection, user = write.connection, write.user
    await connection.execute(QUERIES["hold_user"], *user)
    counts = msgspec.json.decode(
        await connection.fetchval(QUERIES["forget_user"], *user, erasure.until), type=dict[str, int]
    )
    keys: list[str] = []
    if erasure.keys:
        rows = await connection.fetch(QUERIES["anonymise_keys"], *user, erasure.at, erasure.until)
        keys = [row["id"] for row in rows]
        counts["api_keys"] = len(keys)
    await connection.execute(QUERIES["remember_forgotten"], *user)
    if erasure.older_only:
        await connection.execute(QUERIES["count_again"], *user)
    key: bytes = await connection.fetchval(QUERIES["erasure_key"], scope.organisation_id)
    receipt = receipt_of(key, scope, erasure, counts)
    await connection.execute(QUERIES["keep_receipt"], *receipt_columns(receipt, None))
    return Forgotten(write.version, receipt, tuple(keys))


async def _judge(memory_id: UUID, feedback: Feedback, write: Write) -> Judged:
    row = await write.connection.fetchrow(
        QUERIES["judge_memory"],
        *write.user,
        memory_id,
        write.version,
        feedback.helpful,
        feedback.satisfaction,
        feedback.context,
        feedback.at,
    )
    return Judged(write.version, memory_id, _found(row, memory_id)["helpfulness"])


async def _relate(relationship: Relationship, write: Write) -> Related:
    row = await write.connection.fetchrow(
        QUERIES["relate"],
        *write.user,
        relationship.id,
        write.version,
        relationship.memory_id,
        relationship.related_memory_id,
        relationship.type.value,
        relationship.strength,
        relationship.explanation,
        relationship.created_at,
    )
    return Related(write.version, relationship_of(_found(row, relationship.memory_id)))


async def _unrelate(relationship_id: UUID, write: Write) -> Related:
    row = await write.connection.fetchrow(QUERIES["unrelate"], *write.user, relationship_id, write.version)
    return Related(write.version, relationship_of(_found(row, relationship_id)))


def _json(tags: Sequence[str]) -> str:
    return msgspec.json.encode(tags).decode()


def _found(row: Row | None, wanted: UUID) -> Row:
    if row is None:
        raise _unknown(wanted)
    return row


def _unknown(wanted: UUID) -> NotFoundError:
    return NotFoundError("There is no such memory or relationship.", id=str(wanted))


def _user(scope: Scope) -> tuple[UUID, str]:
    return scope.organisation_id, scope.user_id
