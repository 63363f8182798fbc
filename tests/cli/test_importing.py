from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from pronoia.cli.importing.batches import import_entries
from pronoia.cli.importing.jsonl import read_jsonl
from pronoia.cli.importing.locomo import read_locomo
from pronoia.ports.memory_store import Written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pronoia.domain.identifiers import Scope
    from pronoia.domain.records import Idempotency
    from pronoia.domain.trust import Origin
    from pronoia.services.drafts import Draft


class Recorder:
    """Keeps what it is given, and knows a request again by its key."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.keys: list[str] = []

    async def add(
        self,
        scope: Scope,
        drafts: Sequence[Draft],
        idempotency: Idempotency | None = None,
        origin: Origin | None = None,
    ) -> Written:
        assert idempotency is not None
        assert origin is not None
        if idempotency.key in self.keys:
            return Written(1, replayed=True)
        self.keys.append(idempotency.key)
        self.texts += [(scope.user_id, draft.text) for draft in drafts]
        return Written(1)


@pytest.mark.anyio
async def test_a_bad_line_is_named_and_the_rest_goes_in_once(tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    lines = [json.dumps({"text": f"note {number}"}) for number in range(1, 251)]
    lines[1], lines[2], lines[3] = '{"text": 7}', '{"text": " "}', "{"
    file.write_text("\n".join(lines))
    memories, organisation_id, seen = Recorder(), uuid4(), list[int]()
    summary = await import_entries(memories, organisation_id, read_jsonl(file, "ada", 10_000), b"d", seen.append)
    assert summary.imported == 247
    assert summary.problems == [
        "line 2: Expected `str`, got `int` - at `$.text`",
        "line 3: text must not be empty or blank.",
        "line 4: Input data was truncated",
    ]
    assert (memories.texts[0], memories.texts[-1], seen) == (("ada", "note 1"), ("ada", "note 250"), [100, 100, 50])
    again = await import_entries(memories, organisation_id, read_jsonl(file, "ada", 10_000), b"d", seen.append)
    assert (again.imported, again.already_there, len(memories.texts)) == (0, 247, 247)


def test_a_turn_of_locomo_names_its_speaker_session_time_and_image(tmp_path: Path) -> None:
    file = tmp_path / "locomo.json"
    turns = [
        {"speaker": "Ada", "dia_id": "D1:1", "text": "Hi!"},
        {"speaker": "Bo", "dia_id": "D1:2", "text": "Look.", "blip_caption": "a red kite"},
    ]
    conversation = {"speaker_a": "Ada", "session_1": turns, "session_1_date_time": "1:56 pm on 8 May, 2023"}
    file.write_text(json.dumps([{"sample_id": "conv-1", "conversation": conversation, "qa": []}]))
    first, second = read_locomo(file, "bench", 10_000)
    assert (first.user_id, second.user_id) == ("bench-conv-1", "bench-conv-1")
    assert second.draft is not None
    assert second.draft.text == "Bo: Look. [shares image: a red kite]"
    assert second.draft.occurred_at == datetime(2023, 5, 8, 13, 56, 1, tzinfo=UTC)
    assert second.draft.metadata == {"speaker": "Bo", "session_id": "session_1", "dia_id": "D1:2"}
