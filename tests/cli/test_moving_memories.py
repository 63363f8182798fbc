"""`pronoia import` and `pronoia export` on the real store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Run

LINES = [
    {"text": "Ada drinks tea", "tags": ["taste"], "metadata": {"z": 1, "a": 2}, "source": "notes", "project_id": "p"},
    {"text": "Grace keeps bees", "session_id": "s", "agent_id": "a", "speaker": "Grace"},
    {"text": "The deploy failed", "occurred_at": "2024-05-01T10:00:00Z"},
]


@pytest.fixture
def moving(pronoia: Run, database_url: str) -> Callable[..., Any]:
    """Run a command on a database whose organisation exists, and give its JSON with its exit code."""
    assert pronoia("keys", "create", "--user", "ada", "--quiet", "--database-url", database_url).exit_code == 0

    def run(*arguments: str) -> tuple[int, Any]:
        result = pronoia(*arguments, "--database-url", database_url, "--json")
        return result.exit_code, json.loads(result.stdout)

    return run


def write(file: Path, lines: list[str]) -> str:
    file.write_text("".join(line + "\n" for line in lines))
    return str(file)


def test_a_bad_line_is_named_the_rest_goes_in_and_a_second_run_stores_nothing(
    moving: Callable[..., Any], tmp_path: Path
) -> None:
    lines = [json.dumps(line) for line in LINES]
    file = write(tmp_path / "notes.jsonl", [lines[0], "{not json", lines[1], '{"text": " "}', lines[2]])
    code, summary = moving("import", file, "--user", "ada")
    assert (code, summary["imported"], summary["refused"], summary["already_there"]) == (1, 3, 2, 0)
    assert [problem.partition(":")[0] for problem in summary["problems"]] == ["line 2", "line 4"]
    code, summary = moving("import", file, "--user", "ada")
    assert (code, summary["imported"], summary["already_there"]) == (1, 0, 3)
    exported = tmp_path / "ada.jsonl"
    assert moving("export", "--user", "ada", "--output", str(exported))[1]["exported"] == 3


def test_what_is_exported_is_imported_the_same(moving: Callable[..., Any], tmp_path: Path) -> None:
    file = write(tmp_path / "notes.jsonl", [json.dumps(line) for line in LINES])
    assert moving("import", file, "--user", "ada")[0] == 0
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert moving("export", "--user", "ada", "--output", str(first))[0] == 0
    assert first.stat().st_mode & 0o777 == 0o600
    assert moving("import", str(first), "--user", "grace")[0] == 0
    assert moving("export", "--user", "grace", "--output", str(second))[0] == 0
    # What was said at no known time is taken to have been said when it was first stored; each import is a batch.
    own = {"id", "user_id", "created_at", "updated_at", "occurred_at", "provenance"}
    sides = [
        sorted(
            ({name: value for name, value in json.loads(line).items() if name not in own}
             for line in side.read_text().splitlines()),
            key=lambda memory: memory["text"],
        )
        for side in (first, second)
    ]  # fmt: skip
    assert sides[0] == sides[1]
    by_text = {memory["text"]: memory for memory in map(json.loads, second.read_text().splitlines())}
    for line in LINES:
        stored = by_text[line["text"]]
        assert {name: stored[name] for name in line} == line


def test_an_export_to_standard_output_is_a_line_a_memory(
    pronoia: Run, database_url: str, moving: Callable[..., Any], tmp_path: Path
) -> None:
    moving("import", write(tmp_path / "notes.jsonl", [json.dumps(line) for line in LINES]), "--user", "ada")
    result = pronoia("export", "--user", "ada", "--format", "jsonl", "--database-url", database_url)
    assert result.exit_code == 0
    assert {json.loads(line)["text"] for line in result.stdout.splitlines()} == {line["text"] for line in LINES}
    assert pronoia("export", "--user", "nobody", "--database-url", database_url).stdout == ""


def test_a_conversation_becomes_a_user_and_a_turn_a_memory(moving: Callable[..., Any], tmp_path: Path) -> None:
    conversation = {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ada", "speaker_b": "Grace",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ada", "dia_id": "D1:1", "text": "Hello Grace"},
                {"speaker": "Grace", "dia_id": "D1:2", "text": "Hello Ada"},
            ],
        },
        "qa": [],
    }  # fmt: skip
    file = tmp_path / "talk.json"
    file.write_text(json.dumps([conversation]))
    code, summary = moving("import", str(file), "--format", "locomo", "--user", "bench")
    assert (code, summary["imported"], summary["users"]) == (0, 2, ["bench-conv-1"])
    output = tmp_path / "out.jsonl"
    moving("export", "--user", "bench-conv-1", "--output", str(output))
    memories = [json.loads(line) for line in output.read_text().splitlines()]
    assert {memory["metadata"]["dia_id"]: memory["metadata"]["speaker"] for memory in memories} == {
        "D1:1": "Ada", "D1:2": "Grace",
    }  # fmt: skip
    assert {memory["session_id"] for memory in memories} == {memories[0]["metadata"]["session_id"]}
    assert all("Hello" in memory["text"] for memory in memories)
