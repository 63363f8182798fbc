from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import Raw

from pronoia.domain.errors import InvalidInputError
from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.presentation import present_provenance
from pronoia.faces.http.schemas.predict import (
    MAXIMUM_RECENT,
    PredictAnswer,
    PredictBody,
    PredictedAnswer,
    PredictQuery,
)
from pronoia.resilience.admission import Importance
from pronoia.services.answers import PREDICT, Given
from pronoia.services.predictions import FLOOR, PredictRequest
from pronoia.services.rate_limits import Budget

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.services.predictions import PredictedMemory

DEFAULT_LIMIT = 10
MAXIMUM_LIMIT = 100
LONGEST_TEXT = 150

_ids: msgspec.json.Decoder[list[UUID]] = msgspec.json.Decoder(list[UUID])


async def predict(call: Call[Nothing, PredictBody]) -> Answer:
    body = call.body
    context = (body.context if body.context is not None else body.current_context) or None
    recent = body.recent_memory_ids or body.recent_memories or []
    request = PredictRequest(
        context=context,
        recent=tuple(recent),
        limit=min(body.limit or DEFAULT_LIMIT, MAXIMUM_LIMIT),
        minimum_confidence=FLOOR if body.min_confidence is None else body.min_confidence,
        minimum_trust=call.least_trust(body.min_trust),
    )
    service = call.services.predictions

    async def compute(at: datetime) -> Given:
        predicted = await service.find(call.scope, request, at, call.minimum_version)
        items = [_present(one) for one in predicted.predictions]
        answer = PredictAnswer(predictions=items, count=len(items), context=context, recent_memories=recent)
        shown = [(one.memory.id, one.confidence) for one in predicted.predictions]
        return Given(msgspec.json.encode(answer), predicted.version, shown, whole=predicted.whole)

    given = await call.services.answers.give(
        PREDICT, call.scope, request, compute, minimum_version=call.minimum_version
    )
    service.shown(call.scope, given.shown)
    return Answer(given.body, given.version)


async def predict_by_query(call: Call[PredictQuery, Nothing]) -> Answer:
    query = call.query
    body = PredictBody(
        context=query.context if query.context is not None else query.current_context,
        recent_memory_ids=_read_ids(query.recent_memories or ""),
        limit=query.limit,
        min_confidence=query.min_confidence,
        min_trust=query.min_trust,
    )
    return await predict(replace(call, body=body))  # pyright: ignore[reportArgumentType, reportUnknownVariableType]


def _read_ids(text: str) -> list[UUID]:
    text = text.strip()
    try:
        ids = (
            _ids.decode(text) if text.startswith("[") else [UUID(one.strip()) for one in text.split(",") if one.strip()]
        )
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidInputError("recent_memories must hold ids of memories.", field="recent_memories") from error
    if len(ids) > MAXIMUM_RECENT:
        raise InvalidInputError(
            f"recent_memories may hold {MAXIMUM_RECENT} ids.", field="recent_memories", limit=MAXIMUM_RECENT
        )
    return ids


def _present(one: PredictedMemory) -> PredictedAnswer:
    memory = one.memory
    text = memory.text if len(memory.text) <= LONGEST_TEXT else f"{memory.text[:LONGEST_TEXT]}..."
    confidence = round(one.confidence, 4)
    return PredictedAnswer(
        memory_id=memory.id,
        id=memory.id,
        text=text,
        content=memory.text,
        confidence=confidence,
        confidence_score=confidence,
        reasons=one.reasons,
        reasoning=", ".join(one.reasons),
        related_to=one.related_to,
        helpfulness_score=memory.helpfulness_score,
        usage_count=memory.usage_count,
        metadata=Raw(memory.metadata.encode()),
        trust=memory.trust,
        provenance=present_provenance(memory.provenance),
    )


PATH = "/api/v1/memories/predict"
SUMMARY = "Name the memories that are likely needed next, or none."

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "POST",
        PATH,
        SUMMARY,
        predict,
        PredictAnswer,
        Permission.READ,
        Nothing,
        PredictBody,
        importance=Importance.NORMAL,
        budget=Budget.EXPENSIVE,
    ),
    Operation(
        "GET",
        PATH,
        SUMMARY,
        predict_by_query,
        PredictAnswer,
        Permission.READ,
        PredictQuery,
        Nothing,
        importance=Importance.NORMAL,
        budget=Budget.EXPENSIVE,
    ),
)
