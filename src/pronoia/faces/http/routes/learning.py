"""Remembering with what rules read out of the text."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.records import Permission
from pronoia.faces.http.conversion import to_draft
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.presentation import memory_fields
from pronoia.faces.http.schemas.health import HeuristicsAnswer
from pronoia.faces.http.schemas.memories import (
    EntityAnswer,
    ExtractedAnswer,
    LearnedAnswer,
    NewMemoryBody,
    UserBody,
)
from pronoia.services.drafts import check_text
from pronoia.services.extraction import extract
from pronoia.services.memories import MemoryEdit

if TYPE_CHECKING:
    from pronoia.domain.records import Memory
    from pronoia.services.extraction import Extracted


async def learn(call: Call[Nothing, NewMemoryBody]) -> Answer:
    started = perf_counter()
    # Rules read only what can be stored: a text of a megabyte would hold up the event loop.
    check_text(call.body.text, "text", call.surroundings.settings.maximum_text_length)
    extracted = extract(call.body.text)
    draft = to_draft(call.body)
    draft = replace(draft, metadata={**_metadata(extracted), **draft.metadata})
    written = await call.services.memories.add(call.scope, [draft], call.idempotency, call.origin)
    return Answer(_learned(written.memories[0], extracted, started), written.version)


async def upgrade(call: Call[Nothing, UserBody]) -> Answer:
    started = perf_counter()
    memory_id = call.identifier("memory_id")
    memory, _, _ = await call.services.recall.get(call.scope, memory_id, None, call.minimum_version)
    extracted = extract(memory.text)
    stored = msgspec.json.decode(memory.metadata, type=dict[str, object])
    edit = MemoryEdit(metadata={**_metadata(extracted), **stored})
    written = await call.services.memories.update(call.scope, memory_id, edit, call.idempotency, call.origin)
    return Answer(_learned(written.memories[0], extracted, started), written.version)


async def heuristics(_: Call[Nothing, Nothing]) -> Answer:
    return Answer(HeuristicsAnswer())


def _metadata(extracted: Extracted) -> dict[str, object]:
    return {
        "tags": list(extracted.tags),
        "category": extracted.category,
        "entities": [entity.name for entity in extracted.entities],
        "importance": extracted.importance,
        "summary": extracted.summary,
    }


def _learned(memory: Memory, extracted: Extracted, started: float) -> LearnedAnswer:
    return LearnedAnswer(
        **memory_fields(memory),  # pyright: ignore[reportArgumentType] - the names and types are those of MemoryAnswer
        extracted_metadata=ExtractedAnswer(
            category=extracted.category,
            subcategory=extracted.subcategory,
            tags=extracted.tags,
            entities=[EntityAnswer(entity.name, entity.type) for entity in extracted.entities],
            importance=extracted.importance_word,
            sentiment=extracted.sentiment,
            actionable=extracted.actionable,
            summary=extracted.summary,
            confidence=extracted.confidence,
        ),
        processing_time_ms=round(1_000 * (perf_counter() - started), 2),
    )


ROOT = "/api/v1/memories"
WRITE = Permission.WRITE

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "POST",
        ROOT + "/learn",
        "Remember a text with what rules read out of it.",
        learn,
        LearnedAnswer,
        WRITE,
        Nothing,
        NewMemoryBody,
        201,
    ),
    Operation(
        "POST",
        ROOT + "/{memory_id}/upgrade",
        "Read a stored memory by the rules again.",
        upgrade,
        LearnedAnswer,
        WRITE,
        Nothing,
        UserBody,
    ),
    Operation(
        "GET",
        "/api/v1/runtime/heuristics",
        "Give what an agent runtime may tune itself by.",
        heuristics,
        HeuristicsAnswer,
        Permission.READ,
        Nothing,
        Nothing,
    ),
)
