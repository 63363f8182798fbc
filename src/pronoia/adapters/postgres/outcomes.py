"""Writes that happen once: the outcome is kept beside the caller's key and given again to whoever repeats it.

Of writes that manage an organisation no more is kept than what they are about: they are answered with what that is now.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID  # noqa: TC003 - decoded by annotation

import msgspec

from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.errors import IdempotencyConflictError
from pronoia.domain.records import Memory  # noqa: TC001 - decoded by annotation
from pronoia.ports.maintenance_store import Maintained
from pronoia.ports.memory_store import Forgotten, Judged, Related, Written
from pronoia.ports.quarantine_store import Moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.adapters.postgres.driver import Connection
    from pronoia.domain.records import Idempotency

Outcome = TypeVar("Outcome", Written, Judged, Related, Forgotten, Maintained, Moved)
AnyOutcome = Written | Judged | Related | Forgotten | Maintained | Moved


def encode(outcome: AnyOutcome) -> bytes:
    """Write an outcome to be kept."""
    return msgspec.json.encode(outcome)


def replay(kept: bytes, kept_hash: bytes, idempotency: Idempotency, kind: type[Outcome]) -> Outcome:
    """Give the first outcome again. Raises IdempotencyConflictError if the key was used for another request."""
    _check(kept_hash, idempotency)
    return replace(msgspec.json.decode(kept, type=kind), replayed=True)


class _Added(msgspec.Struct):
    """What add_memories keeps: the memories as the caller sent them, and what it found out about them."""

    version: int
    duplicates: dict[UUID, UUID]
    memories: tuple[Memory, ...]


def encode_memories(memories: Sequence[Memory]) -> str:
    """Write memories for add_memories to keep."""
    return msgspec.json.encode(memories).decode()


def replay_added(kept: bytes, kept_hash: bytes, idempotency: Idempotency) -> Written:
    """Give the first outcome of an addition again. Raises as replay() does."""
    _check(kept_hash, idempotency)
    added = msgspec.json.decode(kept, type=_Added)
    memories = (replace(memory, duplicate_of=added.duplicates.get(memory.id)) for memory in added.memories)
    return Written(added.version, tuple(memories), replayed=True)


def _check(kept_hash: bytes, idempotency: Idempotency) -> None:
    if kept_hash != idempotency.request_hash:
        raise IdempotencyConflictError(
            "This Idempotency-Key was used for another request in the last 24 hours. Use a new key.",
            key=idempotency.key,
        )


async def done_before(
    connection: Connection, organisation_id: UUID, idempotency: Idempotency | None, about: str = ""
) -> str | None:
    """Take the caller's key, in the transaction of what is to be done once.

    Gives None, or `about` of the same request if that was served before. Raises IdempotencyConflictError if the key was
    used for another.
    """
    if idempotency is None:
        return None
    row = await fetch_one(
        connection,
        QUERIES["claim_key"],
        organisation_id,
        idempotency.key,
        idempotency.request_hash,
        about.encode(),
    )
    if row["first"]:
        return None
    _check(row["request_hash"], idempotency)
    return row["outcome"].decode()


def named_memories(outcome: AnyOutcome) -> list[UUID]:
    """Give the memories that the outcome tells something of: it is dropped when one of them is deleted."""
    match outcome:
        case Written(memories=memories):
            return [memory.id for memory in memories]
        case Judged(memory_id=memory_id):
            return [memory_id]
        case Related(relationship=relationship):
            return [relationship.memory_id, relationship.related_memory_id]
        case Maintained(actions=actions):
            named = (memory_id for one in actions for memory_id in (one.memory_id, one.kept_memory_id))
            return [memory_id for memory_id in named if memory_id is not None]
        case Moved(memory_ids=memory_ids):
            return list(memory_ids)
        case Forgotten():
            return []
