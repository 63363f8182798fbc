from __future__ import annotations

from dataclasses import replace

from pronoia.domain.errors import ForbiddenError
from pronoia.domain.records import Permission
from pronoia.faces.http.conversion import to_draft, to_page_filters
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.presentation import learning_metadata, present_memory
from pronoia.faces.http.schemas.memories import (
    BatchAnswer,
    BatchBody,
    DeletedAnswer,
    FeedbackAnswer,
    FeedbackBody,
    ForgetQuery,
    ForgottenAnswer,
    GivenFeedback,
    HistoryAnswer,
    MemoryAnswer,
    MemoryEditBody,
    MemoryQuery,
    NewMemoryBody,
    PageAnswer,
    PageQuery,
    RevisionAnswer,
)
from pronoia.services.memories import MemoryEdit

MAXIMUM_PAGE = 1_000
READ, WRITE = Permission.READ, Permission.WRITE


async def create(call: Call[Nothing, NewMemoryBody]) -> Answer:
    written = await call.services.memories.add(call.scope, [to_draft(call.body)], call.idempotency, call.origin)
    return Answer(present_memory(written.memories[0]), written.version)


async def create_batch(call: Call[Nothing, BatchBody]) -> Answer:
    drafts = [to_draft(memory) for memory in call.body.memories]
    written = await call.services.memories.add(call.scope, drafts, call.idempotency, call.origin)
    memories = [present_memory(memory) for memory in written.memories]
    provenance = memories[0].provenance
    batch_id = None if provenance is None else provenance.batch_id
    return Answer(BatchAnswer(memories, len(memories), batch_id), written.version)


async def page(call: Call[PageQuery, Nothing]) -> Answer:
    limit = min(call.query.limit, MAXIMUM_PAGE)
    found = await call.services.recall.page(
        call.scope,
        to_page_filters(call.query),
        before=call.query.cursor,
        offset=call.query.offset,
        limit=limit,
        ascending=call.query.sort == "asc",
        minimum_version=call.minimum_version,
    )
    body = PageAnswer(
        memories=[present_memory(memory) for memory in found.memories],
        count=len(found.memories),
        total=found.total,
        limit=limit,
        offset=call.query.offset,
        next_cursor=found.next_cursor,
    )
    return Answer(body, found.version)


async def get(call: Call[MemoryQuery, Nothing]) -> Answer:
    memory, relationship_count, version = await call.services.recall.get(
        call.scope, call.identifier("memory_id"), call.query.context, call.minimum_version
    )
    body = present_memory(memory)
    body.learning_metadata = learning_metadata(memory, relationship_count, call.surroundings.now())
    body.contributors = []
    return Answer(body, version)


async def update(call: Call[Nothing, MemoryEditBody]) -> Answer:
    body = call.body
    edit = MemoryEdit(
        text=body.text,
        source=body.source,
        project_id=body.project_id,
        tags=None if body.tags is None else tuple(body.tags),
        metadata=body.metadata,
    )
    written = await call.services.memories.update(
        call.scope, call.identifier("memory_id"), edit, call.idempotency, call.origin
    )
    return Answer(present_memory(written.memories[0]), written.version)


async def delete(call: Call[Nothing, Nothing]) -> Answer:
    memory_id = call.identifier("memory_id")
    written = await call.services.memories.delete(call.scope, memory_id, call.idempotency)
    return Answer(DeletedAnswer("Memory deleted.", memory_id), written.version)


async def forget(call: Call[ForgetQuery, Nothing]) -> Answer:
    # A key of one user that names another would else forget its own.
    if call.query.user_id != call.scope.user_id:
        raise ForbiddenError("This key may only forget its own user.", field="user_id")
    forgotten = await call.services.memories.forget(call.scope, call.idempotency)
    return Answer(ForgottenAnswer("User forgotten.", call.scope.user_id, forgotten.memories), forgotten.version)


async def history(call: Call[Nothing, Nothing]) -> Answer:
    memory_id = call.identifier("memory_id")
    revisions = await call.services.memories.history(call.scope, memory_id)
    entries = [
        RevisionAnswer(one.memory_id, one.event, one.version, one.at, one.old_text, one.new_text) for one in revisions
    ]
    version = max((one.version for one in revisions), default=None)
    return Answer(HistoryAnswer(memory_id, entries, len(entries)), version)


async def feedback(call: Call[Nothing, FeedbackBody]) -> Answer:
    body = call.body
    judged = await call.services.memories.feedback(
        call.scope,
        call.identifier("memory_id"),
        helpful=body.helpful,
        context=body.context or None,
        satisfaction=body.user_satisfaction,
        idempotency=call.idempotency,
    )
    given = GivenFeedback(body.helpful, body.context, body.user_satisfaction)
    return Answer(
        FeedbackAnswer(memory_id=judged.memory_id, new_helpfulness_score=judged.helpfulness_score, feedback=given),
        judged.version,
    )


ROOT = "/api/v1/memories"
ONE = ROOT + "/{memory_id}"

_update = Operation("PUT", ONE, "Change a memory.", update, MemoryAnswer, WRITE, Nothing, MemoryEditBody)

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation("POST", ROOT, "Remember a text.", create, MemoryAnswer, WRITE, Nothing, NewMemoryBody, 201),
    Operation(
        "POST",
        ROOT + "/batch",
        "Remember up to 100 texts, all or none.",
        create_batch,
        BatchAnswer,
        WRITE,
        Nothing,
        BatchBody,
        201,
    ),
    Operation("GET", ROOT, "List memories, newest first.", page, PageAnswer, READ, PageQuery, Nothing),
    Operation("DELETE", ROOT, "Forget a user.", forget, ForgottenAnswer, WRITE, ForgetQuery, Nothing),
    Operation("GET", ONE, "Get a memory; counts as a use.", get, MemoryAnswer, READ, MemoryQuery, Nothing),
    _update,
    replace(_update, method="PATCH"),
    Operation("DELETE", ONE, "Delete a memory.", delete, DeletedAnswer, WRITE, Nothing, Nothing),
    Operation(
        "GET", ONE + "/history", "Tell what happened to a memory.", history, HistoryAnswer, READ, Nothing, Nothing
    ),
    Operation(
        "POST",
        ONE + "/feedback",
        "Say whether a memory helped.",
        feedback,
        FeedbackAnswer,
        WRITE,
        Nothing,
        FeedbackBody,
    ),
)
