"""The load on a server of its own, too short to say anything about speed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from processes import has_ended

PRONOIA = str(Path(sys.executable).with_name("pronoia"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [PRONOIA, "bench", "load", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_short_load_answers_everything_and_exits_by_its_objectives(tmp_path: Path) -> None:
    size = ("--users", "2", "--memories", "20", "--seconds", "2", "--seed", "7")
    outcome = run("--scenario", "baseline", *size, "--plot", str(tmp_path / "load"), "--json")
    found = json.loads(outcome.stdout)
    assert found["seed"] == 7
    assert sum(verb["requests"] for verb in found["verbs"].values()) == 200
    assert all(verb["requests"] > 0 and verb["failures"] == {} for verb in found["verbs"].values())
    assert [second["due"] for second in found["seconds"][:2]] == [100, 100]
    assert outcome.returncode == (0 if all(one["met"] for one in found["objectives"]) else 1)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["load.png", "load.svg"]


@pytest.mark.parametrize("url", ["http://example.org", "http://192.0.2.1:8080"])
def test_another_machine_is_loaded_only_by_those_who_say_so(url: str) -> None:
    outcome = run("--url", url, "--key", "pronoia_key")
    assert outcome.returncode == 2
    assert "--allow-remote" in outcome.stderr


def test_a_server_that_is_not_there_is_said_to_be_unavailable() -> None:
    outcome = run("--url", "http://127.0.0.1:9", "--key", "pronoia_key", "--users", "1")
    assert outcome.returncode == 4
    assert "does not answer" in outcome.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_load_that_is_stopped_leaves_neither_its_server_nor_its_database(
    tmp_path: Path, number: signal.Signals
) -> None:
    load = subprocess.Popen(  # noqa: S603 - our own command
        [PRONOIA, "bench", "load", "--users", "1", "--memories", "20"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads yet
    )
    server = its_server(load)
    (database,) = tmp_path.glob("pronoia-load-*/data/postgres/postmaster.pid")
    postgres = psutil.Process(int(database.read_text().split()[0]))
    load.send_signal(number)
    _, said = load.communicate(timeout=60)
    assert load.returncode == 130
    assert "Traceback" not in said
    assert [has_ended(one) for one in (server, postgres)] == [True, True]
    assert list(tmp_path.glob("pronoia-load-*")) == []


def its_server(load: subprocess.Popen[str]) -> psutil.Process:
    """Wait for the server that a load starts."""
    while load.poll() is None:
        for child in psutil.Process(load.pid).children():
            if "serve" in child.cmdline():
                return child
        with suppress(subprocess.TimeoutExpired):
            load.wait(0.05)
    raise AssertionError(load.communicate())
