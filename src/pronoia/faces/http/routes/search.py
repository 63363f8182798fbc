from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw

from pronoia.domain.errors import MissingFieldError
from pronoia.domain.records import Filters, Permission
from pronoia.faces.http.conversion import to_filters, to_search_request
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.presentation import present_memory, present_search
from pronoia.faces.http.schemas.search import (
    CategoryAnswer,
    FindBody,
    FoundAnswer,
    RecallAnswer,
    RecallBody,
    RecalledAnswer,
    RecallQuery,
    SearchAnswer,
    SearchBody,
    SearchQuery,
    TextsAnswer,
    TextsQuery,
)
from pronoia.services.answers import SEARCH, Given
from pronoia.services.recall import WORDS_ALONE, SearchRequest

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.services.recall import Hit

MAXIMUM_LIMIT = 1_000
SUMMARY_LENGTH = 160
NO_CATEGORY = "uncategorised"


async def search(call: Call[Nothing, SearchBody]) -> Answer:
    recall = call.services.recall
    request = to_search_request(call.body, call.least_trust(call.body.min_trust))

    async def compute(at: datetime) -> Given:
        found = await recall.find(call.scope, request, at, call.minimum_version)
        body = msgspec.json.encode(present_search(found, call.body))
        shown = [(hit.memory.id, hit.score) for hit in found.hits]
        return Given(body, found.version, shown, whole=found.method != WORDS_ALONE)

    given = await call.services.answers.give(
        SEARCH,
        call.scope,
        request,
        compute,
        minimum_version=call.minimum_version,
        timeless=not (request.decay_old_memories or request.explain),
    )
    recall.shown(call.scope, request, [memory_id for memory_id, _ in given.shown])
    return Answer(given.body, given.version)


async def search_by_query(call: Call[SearchQuery, Nothing]) -> Answer:
    return await search(replace(call, body=_search_body(call.query)))  # pyright: ignore[reportArgumentType, reportUnknownVariableType]


async def recall(call: Call[Nothing, RecallBody]) -> Answer:
    body = call.body
    request = SearchRequest(
        query=body.query,
        filters=to_filters(project_id=body.project_id, minimum_trust=call.least_trust(body.min_trust)),
        limit=10 if body.limit is None else min(body.limit, MAXIMUM_LIMIT),
        minimum_helpfulness=body.min_helpfulness_score,
        learning_mode=True,
    )
    found = await call.services.recall.search(call.scope, request, call.minimum_version)
    memories = [
        RecalledAnswer(
            hit.memory.id, hit.memory.text, hit.score, Raw(hit.memory.metadata.encode()), hit.memory.created_at
        )
        for hit in found.hits
    ]
    answer = RecallAnswer(
        memories=memories,
        count=len(memories),
        total=len(memories),
        query=body.query,
        categories=_categories(found.hits) if body.organized else UNSET,
    )
    return Answer(answer, found.version)


async def recall_by_query(call: Call[RecallQuery, Nothing]) -> Answer:
    body = msgspec.convert(msgspec.to_builtins(call.query), RecallBody)
    return await recall(replace(call, body=body))  # pyright: ignore[reportArgumentType, reportUnknownVariableType]


async def texts_by_query(call: Call[SearchQuery, Nothing]) -> Answer:
    request = to_search_request(_search_body(call.query), call.least_trust(call.query.min_trust))
    found = await call.services.recall.search(call.scope, request, call.minimum_version)
    texts = [hit.memory.text for hit in found.hits]
    return Answer(TextsAnswer(context=texts, count=len(texts)), found.version)


async def texts(call: Call[TextsQuery, Nothing]) -> Answer:
    limit = min(call.query.limit, MAXIMUM_LIMIT)
    found = await call.services.recall.page(
        call.scope, Filters(), offset=call.query.offset, limit=limit, minimum_version=call.minimum_version
    )
    texts = [memory.text for memory in found.memories]
    return Answer(TextsAnswer(context=texts, count=len(texts), limit=limit, offset=call.query.offset), found.version)


async def find(call: Call[Nothing, FindBody]) -> Answer:
    """Search if there is a query, else list what matches the conditions."""
    body = call.body
    filters = to_filters(
        project_id=body.project_id,
        tags=body.tags or (),
        source=body.source,
        minimum_trust=call.least_trust(body.min_trust) if body.query else body.min_trust,
    )
    limit = min(body.limit, MAXIMUM_LIMIT)
    if body.query:
        found = await call.services.recall.search(
            call.scope, SearchRequest(body.query, filters, limit), call.minimum_version
        )
        memories, version = [hit.memory for hit in found.hits], found.version
    else:
        page = await call.services.recall.page(call.scope, filters, limit=limit, minimum_version=call.minimum_version)
        memories, version = page.memories, page.version
    return Answer(FoundAnswer([present_memory(memory) for memory in memories], len(memories)), version)


def _search_body(query: SearchQuery) -> SearchBody:
    text = query.q or query.query
    if not text:
        raise MissingFieldError("q is required.", field="q")
    return SearchBody(query=text, limit=query.limit, min_trust=query.min_trust)


def _categories(hits: list[Hit]) -> dict[str, CategoryAnswer]:
    """Sum up by the category in the metadata; the best memory of each speaks for it."""
    grouped: dict[str, list[tuple[Hit, dict[str, object]]]] = {}
    for hit in hits:
        metadata = msgspec.json.decode(hit.memory.metadata, type=dict[str, object])
        category = metadata.get("category")
        name = category if isinstance(category, str) and category else NO_CATEGORY
        grouped.setdefault(name, []).append((hit, metadata))
    return {
        name: CategoryAnswer(
            count=len(members),
            avg_score=round(sum(hit.score for hit, _ in members) / len(members), 4),
            summary=str(members[0][1].get("summary") or members[0][0].memory.text)[:SUMMARY_LENGTH],
        )
        for name, members in grouped.items()
    }


ROOT = "/api/v1/memories"
READ = Permission.READ

_search = Operation(
    "POST", ROOT + "/search", "Find the memories that answer a query.", search, SearchAnswer, READ, Nothing, SearchBody
)

OPERATIONS: tuple[AnyOperation, ...] = (
    _search,
    replace(_search, path=ROOT + "/search-weighted"),
    Operation(
        "GET",
        ROOT + "/search",
        "Find the memories that answer a query.",
        search_by_query,
        SearchAnswer,
        READ,
        SearchQuery,
        Nothing,
    ),
    Operation(
        "POST",
        ROOT + "/recall",
        "Find memories in the short form of a prompt.",
        recall,
        RecallAnswer,
        READ,
        Nothing,
        RecallBody,
    ),
    Operation(
        "GET",
        ROOT + "/recall",
        "Find memories in the short form of a prompt.",
        recall_by_query,
        RecallAnswer,
        READ,
        RecallQuery,
        Nothing,
    ),
    Operation(
        "GET",
        ROOT + "/context",
        "Find texts that answer a query.",
        texts_by_query,
        TextsAnswer,
        READ,
        SearchQuery,
        Nothing,
    ),
    Operation("GET", ROOT + "/context/all", "List texts, newest first.", texts, TextsAnswer, READ, TextsQuery, Nothing),
    Operation(
        "POST", "/api/v1/search", "Find by query, or list by conditions.", find, FoundAnswer, READ, Nothing, FindBody
    ),
)
