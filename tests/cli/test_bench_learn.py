"""The benchmark of learning, on a conversation small enough to know the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from pronoia.cli.commands import app
from pronoia.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

TOPICS = ("bees", "sailing", "bread", "violin", "comets", "chess")
runner = CliRunner()


def write(file: Path, questions: int) -> Path:
    """Write a talk in which each topic is named once, and a question about each of some."""
    turns = [
        {"speaker": "Ada", "dia_id": f"D1:{place + 1}", "text": f"I spent the whole week with {topic}."}
        for place, topic in enumerate(TOPICS)
    ]
    asked = [
        {"question": f"Who spent a week with {topic}?", "category": 4, "evidence": [f"D1:{place + 1}"]}
        for place, topic in enumerate(TOPICS[:questions])
    ]
    talk = {"session_1": turns, "session_1_date_time": "1:56 pm on 8 May, 2023"}
    file.write_text(json.dumps([{"sample_id": "one", "conversation": talk, "qa": asked}]))
    return file


def test_six_questions_are_too_few_to_serve_what_was_learned(tmp_path: Path, database_url: str) -> None:
    file = write(tmp_path / "locomo.json", len(TOPICS))
    outcome = runner.invoke(app, ["bench", "learn", "--locomo", str(file), "--database-url", database_url, "--json"])
    assert outcome.exit_code == ExitCode.FAILURE, outcome.stderr
    found = json.loads(outcome.stdout)
    fixed = {run["start"]: run["fixed"]["mean"] for run in found["runs"]}
    assert fixed["shipped prior"] == 100.0
    assert fixed["equal weights"] < 100.0
    assert (found["seed"], found["conversations"], len(found["runs"])) == (0, 1, 6)
    for run in found["runs"]:
        assert run["questions"] == len(TOPICS)
        assert run["learning"] == run["fixed"]
        assert run["gain"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
        assert run["served"] == 0.0


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    outcome = runner.invoke(app, ["bench", "learn", "--locomo", str(write(tmp_path / "locomo.json", 0))])
    assert outcome.exit_code == ExitCode.USAGE
    assert "no question" in outcome.stderr
