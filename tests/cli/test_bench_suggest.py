"""The benchmark of suggestions, on conversations small enough to know the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from pronoia.cli.commands import app
from pronoia.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

TOPICS = {
    "one": ("bees", "sailing", "bread", "violin", "comets", "chess"),
    "two": ("marathons", "pottery", "opera", "volcanoes", "tulips", "origami"),
}
SPEAKERS = {"one": ("Ada", "Grace"), "two": ("Alan", "Edsger")}
runner = CliRunner()


def conversation(name: str) -> dict[str, object]:
    """Write a talk of topics that the other one never touches, and a question about each."""
    spoken = [(SPEAKERS[name][place % 2], topic) for place, topic in enumerate(TOPICS[name])]
    return {
        "sample_id": name,
        "conversation": {
            "session_1": [
                {"speaker": speaker, "dia_id": f"D1:{place + 1}", "text": f"I spent the whole week with {topic}."}
                for place, (speaker, topic) in enumerate(spoken)
            ],
            "session_1_date_time": "1:56 pm on 8 May, 2023",
        },
        "qa": [
            {"question": f"What did {speaker} do with {topic}?", "category": 4, "evidence": [f"D1:{place + 1}"]}
            for place, (speaker, topic) in enumerate(spoken)
        ],
    }


def test_own_questions_are_met_with_evidence_and_those_of_others_with_silence(
    tmp_path: Path, database_url: str
) -> None:
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([conversation("one"), conversation("two")]))
    outcome = runner.invoke(app, ["bench", "suggest", "--locomo", str(file), "--database-url", database_url, "--json"])
    assert outcome.exit_code == ExitCode.SUCCESS, outcome.stderr
    found = json.loads(outcome.stdout)
    assert (found["questions"], found["unrelated"], found["withheld"]) == (12, 500, 0)
    assert found["evidence"]["mean"] == 100.0
    assert found["silence"]["mean"] == 100.0


def test_one_conversation_has_no_others(tmp_path: Path) -> None:
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([conversation("one")]))
    outcome = runner.invoke(app, ["bench", "suggest", "--locomo", str(file)])
    assert outcome.exit_code == ExitCode.USAGE
    assert "two conversations or more" in outcome.stderr
