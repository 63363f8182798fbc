"""Request structs to what the services take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.errors import InvalidInputError
from pronoia.domain.records import Filters
from pronoia.faces.http.decoding import decode_json
from pronoia.services.drafts import Draft, check_name, check_tags
from pronoia.services.recall import SearchRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pronoia.domain.trust import Trust
    from pronoia.faces.http.schemas.memories import NewMemoryBody, PageQuery
    from pronoia.faces.http.schemas.search import SearchBody

MAXIMUM_SEARCH_LIMIT = 100
DEFAULT_SEARCH_LIMIT = 10
DEFAULT_PROJECT = "default"

Scalar = str | int | float | bool | None

_metadata_filter: msgspec.json.Decoder[dict[str, Scalar]] = msgspec.json.Decoder(dict[str, Scalar])


def to_draft(body: NewMemoryBody, default_source: str = "api") -> Draft:
    """Make a draft; what places a memory in time and talk may stand at the top or in the metadata."""
    metadata = body.metadata or {}
    return Draft(
        text=body.text,
        source=default_source if body.source is None else body.source,
        project_id=DEFAULT_PROJECT if body.project_id is None else body.project_id,
        tags=tuple(body.tags or ()),
        metadata=metadata,
        session_id=body.session_id or body.run_id or _name_in(metadata, "session_id") or _name_in(metadata, "run_id"),
        agent_id=body.agent_id or _name_in(metadata, "agent_id"),
        speaker=body.speaker or _name_in(metadata, "speaker"),
        occurred_at=in_utc(body.occurred_at, "occurred_at") or _time_in(metadata),
        trust=body.trust,
    )


def to_search_request(body: SearchBody, minimum_trust: Trust) -> SearchRequest:
    limit = DEFAULT_SEARCH_LIMIT if body.limit is None else body.limit
    filters = to_filters(
        project_id=body.project_id,
        tags=body.tags or (),
        source=body.source,
        session_id=body.session_id or body.run_id,
        agent_id=body.agent_id,
        created_after=body.created_after,
        created_before=body.created_before,
        metadata=body.metadata,
        minimum_trust=minimum_trust,
    )
    return SearchRequest(
        query=body.query,
        filters=filters,
        limit=min(limit, MAXIMUM_SEARCH_LIMIT),
        min_score=body.min_score,
        minimum_helpfulness=body.min_helpfulness_score,
        minimum_similarity=body.threshold,
        weight_by_usage=bool(body.weight_by_usage),
        decay_old_memories=bool(body.decay_old_memories),
        learning_mode=bool(body.learning_mode),
        adaptive_weights=body.adaptive_weights is not False,
        explain=bool(body.explain),
    )


def to_page_filters(query: PageQuery) -> Filters:
    metadata = None if query.metadata is None else _read_metadata_filter(query.metadata)
    return to_filters(
        project_id=query.project_id,
        tags=[tag for tag in (query.tags or "").split(",") if tag.strip()],
        source=query.source,
        session_id=query.session_id or query.run_id,
        agent_id=query.agent_id,
        created_after=query.created_after,
        created_before=query.created_before,
        metadata=metadata,
    )


def to_filters(
    *,
    project_id: str | None = None,
    tags: Sequence[str] = (),
    source: str | None = None,
    session_id: str | None = None,
    agent_id: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    metadata: Mapping[str, Scalar] | None = None,
    minimum_trust: Trust | None = None,
) -> Filters:
    """Check conditions and unite them. A blank name is no condition."""
    names = {"project_id": project_id, "source": source, "session_id": session_id, "agent_id": agent_id}
    for name, value in names.items():
        if value:
            check_name(value, name)
    check_tags(tags)
    return Filters(
        project_id=project_id or None,
        tags=tuple(tags),
        source=source or None,
        session_id=session_id or None,
        agent_id=agent_id or None,
        created_after=in_utc(created_after, "created_after"),
        created_before=in_utc(created_before, "created_before"),
        metadata=dict(metadata or {}),
        minimum_trust=minimum_trust,
    )


def in_utc(value: datetime | None, name: str) -> datetime | None:
    """Give a time in UTC; one without an offset is taken to be in it."""
    if value is None:
        return None
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInputError(f"{name} lies outside the years 1 to 9999.", field=name) from error


def _read_metadata_filter(text: str) -> dict[str, Scalar]:
    try:
        return decode_json(_metadata_filter, text.encode())
    except InvalidInputError as error:
        raise InvalidInputError("metadata must be a JSON object of plain values.", field="metadata") from error


def _name_in(metadata: Mapping[str, object], name: str) -> str | None:
    value = metadata.get(name)
    return value if isinstance(value, str) and value.strip() else None


def _time_in(metadata: Mapping[str, object]) -> datetime | None:
    value = metadata.get("occurred_at")
    if not isinstance(value, str):
        return None
    try:
        return in_utc(msgspec.convert(value, datetime), "metadata.occurred_at")
    except msgspec.ValidationError as error:
        raise InvalidInputError(
            "metadata.occurred_at must be an ISO 8601 time.", field="metadata.occurred_at"
        ) from error
