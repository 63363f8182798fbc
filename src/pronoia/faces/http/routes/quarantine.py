"""Taking poisoned memories out of use, and bringing them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.presentation import present_provenance
from pronoia.faces.http.schemas.memories import UserBody
from pronoia.faces.http.schemas.quarantine import (
    BatchesAnswer,
    BatchSummary,
    MovedAnswer,
    QuarantineAnswer,
    QuarantineBody,
    QuarantinedAnswer,
    QuarantineQuery,
    ReasonBody,
    SelectionBody,
)
from pronoia.ports.quarantine_store import Selection
from pronoia.services.quarantine import MOST_MOVED, MOST_ROLLED_BACK
from pronoia.services.rate_limits import Budget

if TYPE_CHECKING:
    from pronoia.ports.quarantine_store import Moved


async def quarantine_one(call: Call[Nothing, ReasonBody]) -> Answer:
    selection = Selection(memory_ids=(call.identifier("memory_id"),))
    moved = await call.services.quarantine.add(call.scope, selection, call.body.reason, call.idempotency)
    return _moved(moved, MOST_MOVED)


async def release_one(call: Call[Nothing, UserBody]) -> Answer:
    selection = Selection(memory_ids=(call.identifier("memory_id"),))
    return _moved(await call.services.quarantine.release(call.scope, selection, call.idempotency), MOST_MOVED)


async def quarantine(call: Call[Nothing, QuarantineBody]) -> Answer:
    moved = await call.services.quarantine.add(call.scope, _selection(call.body), call.body.reason, call.idempotency)
    return _moved(moved, MOST_MOVED)


async def release(call: Call[Nothing, SelectionBody]) -> Answer:
    moved = await call.services.quarantine.release(call.scope, _selection(call.body), call.idempotency)
    return _moved(moved, MOST_MOVED)


async def rollback(call: Call[Nothing, UserBody]) -> Answer:
    moved = await call.services.quarantine.rollback(call.scope, call.identifier("batch_id"), call.idempotency)
    return _moved(moved, MOST_ROLLED_BACK)


async def listed(call: Call[QuarantineQuery, Nothing]) -> Answer:
    query = call.query
    found = await call.services.quarantine.listed(call.scope, after=query.after, limit=query.limit)
    memories = [
        QuarantinedAnswer(
            id=one.id,
            text=one.text,
            source=one.source,
            created_at=one.created_at,
            trust=one.trust,
            provenance=present_provenance(one.provenance),
            edited_by=one.edited_by,
            action_id=one.action_id,
            rolled_back=one.rolled_back,
            quarantined_at=one.at,
            reason=one.reason,
        )
        for one in found
    ]
    following = found[-1].id if len(found) == query.limit else None
    return Answer(QuarantineAnswer(memories=memories, count=len(memories), next=following))


async def batches(call: Call[QuarantineQuery, Nothing]) -> Answer:
    query = call.query
    found = await call.services.quarantine.batches(call.scope, after=query.after, limit=query.limit)
    summaries = [
        BatchSummary(
            batch_id=one.id,
            key_id=one.key_id,
            route=one.route,
            trust=one.trust,
            at=one.at,
            memory_count=one.memory_count,
            out_of_use=one.out_of_use,
        )
        for one in found
    ]
    following = found[-1].id if len(found) == query.limit else None
    return Answer(BatchesAnswer(batches=summaries, count=len(summaries), next=following))


def _selection(body: SelectionBody) -> Selection:
    return Selection(
        memory_ids=None if body.memory_ids is None else tuple(body.memory_ids),
        batch_id=body.batch_id,
        key_id=body.key_id,
        source=body.source,
    )


def _moved(moved: Moved, bound: int) -> Answer:
    count = len(moved.memory_ids)
    body = MovedAnswer(memory_ids=list(moved.memory_ids), count=count, more=count == bound, action_id=moved.action_id)
    return Answer(body, moved.version)


ROOT = "/api/v1/quarantine"
ONE = "/api/v1/memories/{memory_id}"
BATCHES = "/api/v1/batches"
ADMIN = Permission.ADMIN

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "POST",
        ONE + "/quarantine",
        "Take a memory out of use.",
        quarantine_one,
        MovedAnswer,
        ADMIN,
        Nothing,
        ReasonBody,
    ),
    Operation(
        "POST", ONE + "/release", "Bring a quarantined memory back.", release_one, MovedAnswer, ADMIN, Nothing, UserBody
    ),
    Operation(
        "GET",
        ROOT,
        "List what is quarantined, newest first.",
        listed,
        QuarantineAnswer,
        ADMIN,
        QuarantineQuery,
        Nothing,
        budget=Budget.EXPENSIVE,
    ),
    Operation(
        "POST",
        ROOT,
        "Quarantine up to 10,000 memories by where they came from.",
        quarantine,
        MovedAnswer,
        ADMIN,
        Nothing,
        QuarantineBody,
        budget=Budget.EXPENSIVE,
    ),
    Operation(
        "POST",
        ROOT + "/release",
        "Bring back up to 10,000 memories that are quarantined or rolled back.",
        release,
        MovedAnswer,
        ADMIN,
        Nothing,
        SelectionBody,
        budget=Budget.EXPENSIVE,
    ),
    Operation(
        "GET",
        BATCHES,
        "List what calls and imports wrote, newest first.",
        batches,
        BatchesAnswer,
        ADMIN,
        QuarantineQuery,
        Nothing,
        budget=Budget.EXPENSIVE,
    ),
    Operation(
        "POST",
        BATCHES + "/{batch_id}/rollback",
        "Take all that a batch wrote out of use; it can be released for 30 days.",
        rollback,
        MovedAnswer,
        ADMIN,
        Nothing,
        UserBody,
        budget=Budget.EXPENSIVE,
    ),
)
