"""Calls as values: what is sent for each verb, decided without sending anything."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from pronoia.client.models import NewMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pronoia.client.filters import Conditions

Identifier = str | uuid.UUID
Messages = str | Mapping[str, object] | Sequence[Mapping[str, object]]

MAXIMUM_BATCH = 100
"""Memories in one request."""
MAXIMUM_PAGE = 1_000
"""Memories in one page."""
MAXIMUM_BATCH_BYTES = 900_000
"""Of one request's body: the server takes 1 MiB, and the envelope needs a little."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call. Its path is below the API; a write carries the key that makes it safe to send twice."""

    method: str
    path: str
    user_id: str | None = None
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    idempotency_key: str | None = None

    @property
    def is_read(self) -> bool:
        """Say whether it changes nothing."""
        return self.idempotency_key is None


def read(
    path: str, user_id: str | None, query: Mapping[str, object] | None = None, body: Mapping[str, object] | None = None
) -> Request:
    """Make a call that changes nothing: a GET, or a POST if the question has a body. What is None is not sent."""
    return Request(
        method="GET" if body is None else "POST",
        path=path,
        user_id=user_id,
        query={name: _query_text(value) for name, value in (query or {}).items() if value is not None},
        body=None if body is None else encode(present(body)),
    )


def write(
    method: str,
    path: str,
    user_id: str | None,
    body: bytes | None = None,
    *,
    query: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Request:
    """Make a call that changes something. Without a key of the caller's it gets one of its own."""
    return Request(method, path, user_id, query or {}, body, idempotency_key or str(uuid.uuid4()))


def path_to(collection: str, identifier: Identifier, part: str = "") -> str:
    """Name one thing of a collection, or a part of it. Raises ValueError for an id that would lead elsewhere."""
    text = str(identifier)
    # An empty id would mean the whole collection, and dots the one above it.
    if not text.strip("."):
        raise ValueError("An id is needed.")
    return f"{collection}/{quote(text, safe='')}{part}"


def present(fields: Mapping[str, object]) -> dict[str, object]:
    """Leave out what was not given."""
    return {name: value for name, value in fields.items() if value is not None}


def encode(value: object) -> bytes:
    """Write JSON. Raises ValueError for a number that is not finite, which JSON cannot carry."""
    return json.dumps(msgspec.to_builtins(value), allow_nan=False, separators=(",", ":")).encode()


def to_drafts(messages: Messages, common: NewMemory) -> list[NewMemory]:
    """Make one memory of a text, or one of each message, its role as the speaker; the rest is as in `common`.

    Raises TypeError naming the message that has no text.
    """
    if isinstance(messages, str):
        return [msgspec.structs.replace(common, text=messages)]
    listed = [messages] if isinstance(messages, Mapping) else messages
    drafts: list[NewMemory] = []
    for index, message in enumerate(listed):
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise TypeError(f"Message {index} must have a role and a content, both text.")
        drafts.append(msgspec.structs.replace(common, text=content, speaker=role))
    return drafts


def batches(memories: Sequence[NewMemory | str], idempotency_key: str | None) -> Iterator[tuple[bytes, str]]:
    """Cut memories into the bodies of as few requests as the server's limits allow, in order, each with its own key.

    A memory that is too large alone goes alone, for the server to say so.
    """
    key = idempotency_key or str(uuid.uuid4())
    waiting: list[bytes] = []
    size = sent = 0
    for memory in memories:
        encoded = encode(NewMemory(memory) if isinstance(memory, str) else memory)
        if waiting and (len(waiting) == MAXIMUM_BATCH or size + len(encoded) > MAXIMUM_BATCH_BYTES):
            yield _batch_body(waiting), _batch_key(key, sent)
            waiting, size, sent = [], 0, sent + 1
        waiting.append(encoded)
        size += len(encoded) + 1
    if waiting:
        yield _batch_body(waiting), _batch_key(key, sent)


def page_query(conditions: Conditions, limit: int, cursor: str | None) -> dict[str, object]:
    """Write conditions and the place of a page as a query string's values."""
    if not 1 <= limit <= MAXIMUM_PAGE:
        raise ValueError(f"A page holds from 1 to {MAXIMUM_PAGE} memories.")
    fields = dict(conditions.fields)
    if "metadata" in fields:
        fields["metadata"] = encode(fields["metadata"]).decode()
    return {**fields, "limit": limit, "cursor": cursor}


def _batch_body(encoded: list[bytes]) -> bytes:
    return b'{"memories":[' + b",".join(encoded) + b"]}"


def _batch_key(key: str, number: int) -> str:
    return f"{key}-{number}" if number else key


def _query_text(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat()
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ",".join(str(item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return str(value)
