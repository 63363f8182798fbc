"""The LoCoMo benchmark's conversations, one memory a turn."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from pronoia.cli.importing.entries import Entry, checked
from pronoia.domain.errors import InvalidInputError
from pronoia.services.drafts import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAXIMUM_FILE_BYTES = 256 << 20
SESSION = re.compile(r"session_(\d+)")
DATE_FORMAT = "%I:%M %p on %d %B, %Y"


class Turn(msgspec.Struct, frozen=True):
    """What one speaker said at once."""

    speaker: str
    dia_id: str
    text: str
    blip_caption: str | None = None


class Conversation(msgspec.Struct, frozen=True):
    """A sample of the file. `conversation` has session_N and session_N_date_time among other fields."""

    sample_id: str
    conversation: dict[str, msgspec.Raw]


def read_locomo(file: Path, user_prefix: str, maximum_text_length: int) -> Iterator[Entry]:
    """Read every conversation, each as a user of its own. Raises InvalidInputError if the file is not LoCoMo."""
    if file.stat().st_size > MAXIMUM_FILE_BYTES:
        raise InvalidInputError(f"{file} is larger than {MAXIMUM_FILE_BYTES} bytes. Split it.")
    try:
        conversations = msgspec.json.decode(file.read_bytes(), type=list[Conversation])
        for one in conversations:
            user_id = f"{user_prefix}-{one.sample_id}"
            for number, (place, draft) in enumerate(_drafts(one), 1):
                yield checked(user_id, number, place, draft, maximum_text_length)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise InvalidInputError(f"{file} is not a LoCoMo file: {error}. Check --format.") from error


def _drafts(sample: Conversation) -> Iterator[tuple[str, Draft]]:
    names = sorted(
        (name for name in sample.conversation if SESSION.fullmatch(name)), key=lambda name: int(name.split("_")[1])
    )
    for session_id in names:
        turns = msgspec.json.decode(sample.conversation[session_id], type=list[Turn])
        date = msgspec.json.decode(sample.conversation[f"{session_id}_date_time"], type=str)
        began = datetime.strptime(date, DATE_FORMAT).replace(tzinfo=UTC)
        for place, turn in enumerate(turns):
            occurred_at = began + timedelta(seconds=place)
            yield f"{sample.sample_id} {turn.dia_id}", _draft(turn, session_id, occurred_at)


def _draft(turn: Turn, session_id: str, occurred_at: datetime) -> Draft:
    image = f" [shares image: {turn.blip_caption}]" if turn.blip_caption else ""
    return Draft(
        text=f"{turn.speaker}: {turn.text}{image}",
        source="import",
        metadata={"speaker": turn.speaker, "session_id": session_id, "dia_id": turn.dia_id},
        session_id=session_id,
        speaker=turn.speaker,
        occurred_at=occurred_at,
    )
