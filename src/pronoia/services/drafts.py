"""What a caller hands in to be remembered, and the limits it must keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.errors import InvalidInputError, MissingFieldError, TextLengthError
from pronoia.domain.identifiers import ENCRYPTED_MARK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pronoia.domain.trust import Trust

MAXIMUM_TAGS = 100
MAXIMUM_TAG_LENGTH = 200
MAXIMUM_NAME_LENGTH = 255
MAXIMUM_METADATA_BYTES = 65_536
MAXIMUM_METADATA_DEPTH = 32
MAXIMUM_BATCH = 100
MAXIMUM_INTEGER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Draft:
    """A memory as its caller describes it. `metadata` is a JSON object in Python values."""

    text: str
    source: str = "api"
    project_id: str = "default"
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    session_id: str | None = None
    agent_id: str | None = None
    speaker: str | None = None
    occurred_at: datetime | None = None
    trust: Trust | None = None
    """At most that of whoever writes it; None takes that."""


def check_characters(value: str, name: str) -> None:
    """Refuse what no text column can hold."""
    if "\x00" in value:
        raise InvalidInputError(f"{name} must not contain the NUL character.", field=name)
    if value.startswith(ENCRYPTED_MARK):
        raise InvalidInputError(f"{name} must not begin with the mark of encrypted texts.", field=name)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"{name} must not contain half of a surrogate pair.", field=name) from error


def check_text(value: str, name: str, maximum: int) -> None:
    """Refuse blank, overlong and unstorable text."""
    check_characters(value, name)
    length = len(value.strip())
    if length == 0:
        raise MissingFieldError(f"{name} must not be empty or blank.", field=name)
    if length > maximum:
        raise TextLengthError(
            f"{name} has {length} characters; at most {maximum} are allowed. Split it into several.",
            field=name,
            limit=maximum,
            max=maximum,
            actual=length,
        )


def check_name(value: str, name: str) -> None:
    """Refuse names of users, projects, sources, sessions and the like that are blank or overlong."""
    check_text(value, name, MAXIMUM_NAME_LENGTH)


def check_tags(tags: Sequence[str]) -> None:
    if len(tags) > MAXIMUM_TAGS:
        raise InvalidInputError(
            f"tags has {len(tags)} entries; at most {MAXIMUM_TAGS} are allowed.", field="tags", limit=MAXIMUM_TAGS
        )
    for tag in tags:
        check_text(tag, "tags", MAXIMUM_TAG_LENGTH)


def encode_metadata(metadata: Mapping[str, object]) -> str:
    """Write metadata as JSON text, refusing what is too deep, too large or not storable."""
    _check_json(metadata)
    encoded = msgspec.json.encode(metadata)
    if len(encoded) > MAXIMUM_METADATA_BYTES:
        raise InvalidInputError(
            f"metadata takes {len(encoded)} bytes; at most {MAXIMUM_METADATA_BYTES} are allowed.",
            field="metadata",
            limit=MAXIMUM_METADATA_BYTES,
        )
    return encoded.decode()


def _check_json(metadata: Mapping[str, object]) -> None:
    pending: list[tuple[object, int]] = [(metadata, 1)]
    while pending:
        value, depth = pending.pop()
        if depth > MAXIMUM_METADATA_DEPTH:
            raise InvalidInputError(
                f"metadata is nested deeper than {MAXIMUM_METADATA_DEPTH} levels.",
                field="metadata",
                limit=MAXIMUM_METADATA_DEPTH,
            )
        match value:
            case dict():
                for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
                    check_characters(str(key), "metadata")  # pyright: ignore[reportUnknownArgumentType]
                    pending.append((inner, depth + 1))  # pyright: ignore[reportUnknownArgumentType]
            case list():
                pending.extend((inner, depth + 1) for inner in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            case str():
                check_characters(value, "metadata")
            case int() if abs(value) > MAXIMUM_INTEGER:
                raise InvalidInputError("metadata holds an integer beyond 64 bits.", field="metadata")
            case float() if not math.isfinite(value):
                raise InvalidInputError("metadata holds a number that is not finite.", field="metadata")
            case _:
                pass


def check_draft(draft: Draft, maximum_text_length: int) -> None:
    """Refuse a draft that cannot be stored as given. Raises InvalidInputError naming the field."""
    check_text(draft.text, "text", maximum_text_length)
    check_name(draft.source, "source")
    check_name(draft.project_id, "project_id")
    check_tags(draft.tags)
    for name in ("session_id", "agent_id", "speaker"):
        value: str | None = getattr(draft, name)
        if value is not None:
            check_name(value, name)


def with_speaker(speaker: str | None, text: str) -> str:
    """Name who speaks, unless the text does: it is what people ask by. This is what is embedded."""
    return text if speaker is None or text.startswith(speaker) else f"{speaker}: {text}"
