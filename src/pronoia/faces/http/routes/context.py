from __future__ import annotations

from dataclasses import replace

from pronoia.domain.records import Permission
from pronoia.faces.http.conversion import to_filters
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.presentation import memory_fields
from pronoia.faces.http.schemas.context import ContextAnswer, ContextBody, ContextMemory, Intelligence
from pronoia.services.drafts import check_characters

MAXIMUM_LIMIT = 100


async def build(call: Call[Nothing, ContextBody]) -> Answer:
    body = call.body
    history = [turn if isinstance(turn, str) else turn.content for turn in body.conversation_history or ()]
    for turn in history:
        check_characters(turn, "conversation_history")
    built = await call.services.context.build(
        call.scope,
        body.query,
        history=history,
        project_id=to_filters(project_id=body.project_id).project_id,
        limit=10 if body.limit is None else min(body.limit, MAXIMUM_LIMIT),
        minimum_trust=call.least_trust(body.min_trust),
        minimum_version=call.minimum_version,
    )
    memories = [
        ContextMemory(**memory_fields(hit.memory), relevance_score=hit.score)  # pyright: ignore[reportArgumentType]
        for hit in built.hits
    ]
    answer = ContextAnswer(
        query=body.query,
        keywords_extracted=built.keywords,
        memories=memories,
        count=len(memories),
        context=built.text,
        llm=body.llm,
        intelligence=Intelligence(conversation_context=bool(history)),
    )
    return Answer(answer, built.version)


_context = Operation(
    "POST",
    "/api/v1/context",
    "Choose the memories to put before a model.",
    build,
    ContextAnswer,
    Permission.READ,
    Nothing,
    ContextBody,
)

OPERATIONS: tuple[AnyOperation, ...] = (_context, replace(_context, path="/api/v1"))
