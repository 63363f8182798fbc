from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from pronoia.domain.errors import MissingFieldError
from pronoia.domain.records import Permission
from pronoia.faces.http.conversion import to_filters
from pronoia.faces.http.operation import (
    DEGRADED_REASON,
    DEGRADED_RETRY_SECONDS,
    Answer,
    AnyOperation,
    Call,
    Nothing,
    Operation,
)
from pronoia.faces.http.presentation import learning_metadata, present_provenance
from pronoia.faces.http.schemas.suggest import (
    RelatedAnswer,
    SuggestAnswer,
    SuggestBody,
    SuggestionAnalytics,
    SuggestionAnswer,
    SuggestionReasoning,
)
from pronoia.resilience.admission import Importance
from pronoia.services.answers import SUGGEST, Given
from pronoia.services.features import Feature
from pronoia.services.rate_limits import Budget
from pronoia.services.suggest import SuggestRequest

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.services.suggest import Suggestion

MAXIMUM_LIMIT = 100
DEFAULT_LIMIT = 5
DEFAULT_CONFIDENCE = 0.6
HIGH_SIMILARITY, MEDIUM_SIMILARITY = 0.7, 0.5
FREQUENT_USE = 10
RECENT_ACCESS = 0.8
HIGH_HELPFULNESS = 0.7
DIGITS = 4


async def suggest(call: Call[Nothing, SuggestBody]) -> Answer:
    request = _request(call)
    service, reasoned = call.services.suggest, call.body.include_reasoning is not False

    async def compute(at: datetime) -> Given:
        found = await service.find(call.scope, request, at, call.minimum_version)
        suggestions = [_present(one, found.weights if reasoned else None, at) for one in found.suggestions]
        encoded = msgspec.json.encode(_answer(request, suggestions, found.weights))
        shown = [(one.memory.id, one.confidence) for one in found.suggestions]
        return Given(encoded, found.version, shown, whole=found.whole)

    await service.used(call.scope, request.used_ids, call.minimum_version)
    given = await call.services.answers.give(
        SUGGEST,
        call.scope,
        (replace(request, used_ids=()), reasoned),
        compute,
        minimum_version=call.minimum_version,
    )
    if service.shown(call.scope, request.context, [memory_id for memory_id, _ in given.shown]):
        weights = await call.services.ranking_weights.classic(call.scope)
        return Answer(_answer(request, [], weights, withheld=True), given.version)
    return Answer(given.body, given.version)


async def suggest_nothing(call: Call[Nothing, SuggestBody]) -> Answer:
    """Look for nothing while the server has too much to do; what the caller used still counts."""
    request = _request(call)
    await call.services.suggest.used(call.scope, request.used_ids, call.minimum_version)
    return Answer(_answer(request, [], {}, degraded=True), headers={"retry-after": str(DEGRADED_RETRY_SECONDS)})


def _request(call: Call[Nothing, SuggestBody]) -> SuggestRequest:
    body = call.body
    context = body.query if body.context is None else body.context
    if context is None:
        raise MissingFieldError("context is required.", field="context")
    return SuggestRequest(
        context=context,
        filters=to_filters(project_id=body.project_id, minimum_trust=call.least_trust(body.min_trust)),
        limit=DEFAULT_LIMIT if body.limit is None else min(body.limit, MAXIMUM_LIMIT),
        minimum_confidence=DEFAULT_CONFIDENCE if body.min_confidence is None else body.min_confidence,
        used_ids=tuple(body.used_ids or ()),
    )


def _answer(
    request: SuggestRequest,
    suggestions: list[SuggestionAnswer],
    weights: dict[str, float],
    *,
    withheld: bool = False,
    degraded: bool = False,
) -> SuggestAnswer:
    return SuggestAnswer(
        suggestions=suggestions,
        count=len(suggestions),
        context=request.context,
        weights_used=weights,
        min_confidence=request.minimum_confidence,
        withheld=withheld,
        abstained=not suggestions and not withheld and not degraded,
        degraded=degraded,
        reason=DEGRADED_REASON if degraded else None,
    )


def _present(suggestion: Suggestion, weights: dict[str, float] | None, now: datetime) -> SuggestionAnswer:
    memory = suggestion.memory
    used = learning_metadata(memory, len(suggestion.related), now)
    confidence = round(suggestion.confidence, DIGITS)
    return SuggestionAnswer(
        memory_id=memory.id,
        id=memory.id,
        text=memory.text,
        content=memory.text,
        trust=memory.trust,
        provenance=present_provenance(memory.provenance),
        similarity=None if suggestion.similarity is None else round(suggestion.similarity, DIGITS),
        suggestion_score=confidence,
        confidence=confidence,
        relevance_context=", ".join(suggestion.common_words),
        analytics=SuggestionAnalytics(
            usage_count=memory.usage_count,
            helpfulness_score=memory.helpfulness_score,
            recency_score=used.recency_score,
            access_frequency=used.access_frequency,
            days_since_access=used.days_since_access,
        ),
        reasoning=UNSET if weights is None else _reasoning(suggestion, used.recency_score, weights),
        related_memories=[
            RelatedAnswer(related_memory_id=one.memory_id, relationship_type=one.type, strength=one.strength)
            for one in suggestion.related
        ],
    )


def _reasoning(suggestion: Suggestion, recency: float, weights: dict[str, float]) -> SuggestionReasoning:
    return SuggestionReasoning(
        semantic_match=_level(suggestion.similarity or 0.0),
        frequently_used=suggestion.memory.usage_count > FREQUENT_USE,
        recently_accessed=recency > RECENT_ACCESS,
        high_helpfulness=suggestion.memory.helpfulness_score > HIGH_HELPFULNESS,
        weights_applied=weights,
    )


def _level(similarity: float) -> str:
    if similarity > HIGH_SIMILARITY:
        return "high"
    return "medium" if similarity > MEDIUM_SIMILARITY else "low"


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "POST",
        "/api/v1/memories/suggest",
        "Offer what fits a context, or nothing.",
        suggest,
        SuggestAnswer,
        Permission.READ,
        Nothing,
        SuggestBody,
        importance=Importance.OPTIONAL,
        feature=Feature.CONTEXT_SUGGESTIONS,
        cheaper=suggest_nothing,
        budget=Budget.EXPENSIVE,
    ),
)
