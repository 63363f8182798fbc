from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from pronoia.cli.importing.entries import Entry, checked
from pronoia.domain.trust import Trust  # noqa: TC001 - lines are decoded by their annotations
from pronoia.services.drafts import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAXIMUM_LINE_BYTES = 1 << 20

AwareTime = Annotated[datetime, msgspec.Meta(tz=True)]


class Line(msgspec.Struct, frozen=True):
    """A line of the file. What is not named here is ignored."""

    text: str
    source: str = "import"
    project_id: str = "default"
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    session_id: str | None = None
    agent_id: str | None = None
    speaker: str | None = None
    occurred_at: AwareTime | None = None
    created_at: AwareTime | None = None
    trust: Trust | None = None


def read_jsonl(file: Path, user_id: str, maximum_text_length: int) -> Iterator[Entry]:
    """Read one JSON object a line. Blank lines count as lines and are no entries."""
    decoder = msgspec.json.Decoder(Line)
    with file.open("rb") as lines:
        number = 0
        while line := lines.readline(MAXIMUM_LINE_BYTES + 1):
            number += 1
            place = f"line {number}"
            if len(line) > MAXIMUM_LINE_BYTES:
                while line and not line.endswith(b"\n"):
                    line = lines.readline(MAXIMUM_LINE_BYTES)
                yield Entry(user_id, number, place, None, f"longer than {MAXIMUM_LINE_BYTES} bytes")
            elif line.strip():
                yield _entry(decoder, line, user_id, number, maximum_text_length)


def _entry(
    decoder: msgspec.json.Decoder[Line], line: bytes, user_id: str, number: int, maximum_text_length: int
) -> Entry:
    place = f"line {number}"
    try:
        fields = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Entry(user_id, number, place, None, str(error))
    draft = Draft(
        text=fields.text,
        source=fields.source,
        project_id=fields.project_id,
        tags=fields.tags,
        metadata=fields.metadata,
        session_id=fields.session_id,
        agent_id=fields.agent_id,
        speaker=fields.speaker,
        # The time it was first written is the best that is known of when it happened.
        occurred_at=fields.occurred_at or fields.created_at,
        trust=fields.trust,
    )
    return checked(user_id, number, place, draft, maximum_text_length)
