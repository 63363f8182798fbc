"""Reads LoCoMo: long conversations of two people, with questions and the turns that hold their evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from pronoia.domain.errors import InvalidInputError
from pronoia.services.drafts import Draft

if TYPE_CHECKING:
    from pathlib import Path

MAXIMUM_FILE_BYTES = 256 << 20
SESSION = re.compile(r"session_(\d+)")
EVIDENCE = re.compile(r"D:?(\d+):(\d+)")
DATE_FORMAT = "%I:%M %p on %d %B, %Y"
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
"""The fifth, of questions without an answer, has no evidence to find."""


class _Turn(msgspec.Struct):
    speaker: str
    dia_id: str
    text: str
    blip_caption: str | None = None


class _Question(msgspec.Struct):
    question: str
    category: int
    evidence: list[str] = []


class _Sample(msgspec.Struct):
    sample_id: str
    conversation: dict[str, msgspec.Raw]
    qa: list[_Question] = []


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said at once. `id` is like D3:7, the seventh turn of the third session."""

    id: str
    session_id: str
    speaker: str
    text: str
    occurred_at: datetime

    def draft(self) -> Draft:
        """Describe the turn as a memory."""
        return Draft(
            text=self.text,
            source="locomo",
            metadata={"speaker": self.speaker, "session_id": self.session_id, "dia_id": self.id},
            session_id=self.session_id,
            speaker=self.speaker,
            occurred_at=self.occurred_at,
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a category in CATEGORIES, and the ids of the turns that answer it; at least one."""

    text: str
    category: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One sample: its turns in order, and the questions that can be answered from them."""

    id: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


def read_locomo(file: Path) -> list[Conversation]:
    """Read all conversations. Raises InvalidInputError if the file is not LoCoMo.

    Questions without an evidence id that names a turn are left out, as are ids that name none.
    """
    if file.stat().st_size > MAXIMUM_FILE_BYTES:
        raise InvalidInputError(f"{file} is larger than {MAXIMUM_FILE_BYTES} bytes. Split it.")
    try:
        return [_conversation(sample) for sample in msgspec.json.decode(file.read_bytes(), type=list[_Sample])]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise InvalidInputError(f"{file} is not a LoCoMo file: {error}.") from error


def _conversation(sample: _Sample) -> Conversation:
    sessions = sorted(filter(SESSION.fullmatch, sample.conversation), key=lambda name: int(name.split("_")[1]))
    turns = tuple(turn for session_id in sessions for turn in _turns(sample, session_id))
    known = {turn.id for turn in turns}
    questions = (_question(raw, known) for raw in sample.qa)
    return Conversation(sample.sample_id, turns, tuple(one for one in questions if one.evidence))


def _turns(sample: _Sample, session_id: str) -> list[Turn]:
    date = msgspec.json.decode(sample.conversation[f"{session_id}_date_time"], type=str)
    began = datetime.strptime(date, DATE_FORMAT).replace(tzinfo=UTC)
    spoken = msgspec.json.decode(sample.conversation[session_id], type=list[_Turn])
    # Only the session has a date: a second a turn keeps them in order.
    return [
        Turn(turn.dia_id, session_id, turn.speaker, _text(turn), began + timedelta(seconds=place))
        for place, turn in enumerate(spoken)
    ]


def _text(turn: _Turn) -> str:
    image = f" [shares image: {turn.blip_caption}]" if turn.blip_caption else ""
    return f"{turn.speaker}: {turn.text}{image}"


def _question(raw: _Question, known: set[str]) -> Question:
    named = (f"D{session}:{turn}" for text in raw.evidence for session, turn in EVIDENCE.findall(text))
    evidence = tuple(sorted({turn_id for turn_id in named if turn_id in known}))
    return Question(raw.question, raw.category, evidence if raw.category in CATEGORIES else ())
