"""Every line that the README shows is run, and its answers are what comes back."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS: list[tuple[str, str]] = BLOCK.findall(README)
COMMANDS = Path(sys.executable).parent


def blocks(language: str, beginning: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language and text.startswith(beginning)]


def run(text: str, environment: dict[str, str], folder: Path) -> str:
    """Run a block as a person's shell would, from a folder of its own, and stop at the first failure."""
    path = f"{COMMANDS}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(  # noqa: S603 - our own page
        ["/bin/bash", "-euo", "pipefail", "-c", text],
        env={**os.environ, **environment, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def assert_contains(answer: Any, shown: Any, place: str = "") -> None:
    """Check that all that is shown is in the answer; the page leaves fields out."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert_contains(answer[name], value, f"{place}.{name}")
    elif isinstance(shown, list):
        assert len(answer) == len(shown), place
        for number, value in enumerate(shown):
            assert_contains(answer[number], value, f"{place}[{number}]")
    else:
        assert answer == shown, place


def key_of_a_new_user(server: RunningServer, user: str) -> str:
    made = ["keys", "create", "--user", user, "--quiet", "--database-url", server.database_url]
    return subprocess.check_output([COMMANDS / "pronoia", *made], text=True).strip()  # noqa: S603 - our own command


def test_every_block_is_one_that_a_test_below_runs() -> None:
    kinds = [(kind, text.split()[0]) for kind, text in BLOCKS if kind != "json"]
    assert kinds == [("sh", "export"), *[("sh", "curl")] * 5, ("python", "from"), ("sh", "pronoia")]


def test_the_curl_lines_give_the_answers_that_are_shown(server: RunningServer, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is missing")
    (exports,) = blocks("sh", "export")
    assert re.findall(r"export (\w+)=", exports) == ["PRONOIA_URL", "PRONOIA_API_KEY"]
    environment = {"PRONOIA_URL": server.url, "PRONOIA_API_KEY": key_of_a_new_user(server, "reader-of-curl")}
    lines, shown = blocks("sh", "curl"), [json.loads(text) for text in blocks("json", "{")]
    for line, answer in zip(lines, shown, strict=True):
        assert_contains(json.loads(run(line, environment, tmp_path)), answer)


def test_the_python_session_runs_as_it_is_shown(server: RunningServer, tmp_path: Path) -> None:
    environment = {"PRONOIA_URL": server.url, "PRONOIA_API_KEY": key_of_a_new_user(server, "reader-of-python")}
    (session,) = blocks("python", "from")
    (tmp_path / "session.py").write_text(session)
    found, predicted, *revisions = run("python -W error session.py", environment, tmp_path).splitlines()
    score, _, text = found.partition(" ")
    assert 0 < float(score) <= 1
    assert text == "Grace keeps bees behind the library"
    confidence, _, reasons = predicted.partition(" ")
    assert 0 < float(confidence) <= 1
    assert reasons.startswith("['")
    assert revisions == [
        "ADD Grace keeps bees behind the library",
        "UPDATE Grace keeps bees on the roof of the library",
    ]


def test_the_commands_do_what_is_said(server: RunningServer, tmp_path: Path) -> None:
    (commands,) = blocks("sh", "pronoia")
    (tmp_path / "notes.jsonl").write_text('{"text": "Ada likes tea."}\n')
    printed = run(commands, {"PRONOIA_DATABASE_URL": server.database_url}, tmp_path)
    assert printed.startswith("pronoia_")
    assert "Imported 1 memories." in printed
    assert "Ada likes tea." in (tmp_path / "ada.jsonl").read_text()


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"pronoia ((?:keys )?[a-z]+)", README)) | {"serve", "keys list", "keys revoke", "migrate"}
    for command in sorted(named - {"keys create"}):
        arguments = [COMMANDS / "pronoia", *command.split(), "--help"]
        helped = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own command
        assert "Exit codes: 0 success" in helped.stdout


def test_the_page_of_settings_is_the_one_that_the_code_writes() -> None:
    subprocess.run(  # noqa: S603 - our own tool
        [sys.executable, ROOT / "tools" / "write_configuration.py", "--check"], timeout=60, check=True
    )


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
