"""The benchmark of recall, on conversations small enough to know the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from pronoia.cli.commands import app
from pronoia.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

TOPICS = ("bees", "sailing", "bread", "violin", "comets", "chess")
runner = CliRunner()


def conversation(name: str, speakers: tuple[str, str]) -> dict[str, object]:
    """Write a talk in which each topic is named once, and a question about each."""
    turns = [
        {"speaker": speakers[place % 2], "dia_id": f"D1:{place + 1}", "text": f"I spent the whole week with {topic}."}
        for place, topic in enumerate(TOPICS)
    ]
    questions = [
        {"question": f"Who spent a week with {topic}?", "category": 4, "evidence": [f"D1:{place + 1}"]}
        for place, topic in enumerate(TOPICS)
    ]
    return {
        "sample_id": name,
        "conversation": {"session_1": turns, "session_1_date_time": "1:56 pm on 8 May, 2023"},
        "qa": questions,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([conversation("one", ("Ada", "Grace")), conversation("two", ("Alan", "Edsger"))]))
    return file


def test_words_alone_find_what_is_named_once(file: Path, database_url: str) -> None:
    outcome = runner.invoke(app, ["bench", "recall", "--locomo", str(file), "--database-url", database_url, "--json"])
    assert outcome.exit_code == ExitCode.SUCCESS, outcome.stderr
    found = json.loads(outcome.stdout)
    assert (found["questions"], found["memories"], found["conversations"]) == (12, 12, 2)
    assert found["means"]["BM25 alone"]["MRR"] == {"mean": 100.0, "low": 100.0, "high": 100.0}
    assert found["means"]["shipped prior, as served"]["R@10"]["mean"] == 100.0
    assert set(found["weights"]) == {"one", "two"}
    assert {name: by["R@10"] for name, by in found["left_out"].items()} == {"one": 100.0, "two": 100.0}


def test_what_scores_alike_is_ranked_as_it_was_said(tmp_path: Path, database_url: str) -> None:
    alike = conversation("one", ("Ada", "Grace"))
    # Only the vectors know what is meant: by words all turns score nothing, and the evidence was said last.
    alike["qa"] = [{"question": "Pawns, bishops, rooks?", "category": 4, "evidence": ["D1:6"]}]
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([alike, conversation("two", ("Alan", "Edsger")) | {"qa": alike["qa"]}]))
    outcome = runner.invoke(app, ["bench", "recall", "--locomo", str(file), "--database-url", database_url, "--json"])
    means = json.loads(outcome.stdout)["means"]
    assert means["BM25 alone"]["MRR"]["mean"] == pytest.approx(100 / 6)
    assert means["vectors alone"]["MRR"]["mean"] == 100.0


def test_one_conversation_cannot_be_left_out_of_one(tmp_path: Path) -> None:
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([conversation("one", ("Ada", "Grace"))]))
    outcome = runner.invoke(app, ["bench", "recall", "--locomo", str(file)])
    assert outcome.exit_code == ExitCode.USAGE
    assert "two or more" in outcome.stderr


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"a": 1}')
    outcome = runner.invoke(app, ["bench", "recall", "--locomo", str(file)])
    assert outcome.exit_code == ExitCode.USAGE
    assert "is not a LoCoMo file" in outcome.stderr
