"""`pronoia serve` in a process of its own, as a person starts and stops it."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import psutil
import pytest
import uvicorn

from pronoia.cli.sample import SAMPLE
from pronoia.cli.serve import _Server, _Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60
STOP_SECONDS = 10
PRONOIA = str(Path(sys.executable).with_name("pronoia"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [PRONOIA, *arguments], capture_output=True, text=True, timeout=START_SECONDS, check=False
    )


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server on a free port and give it with what it printed first, once it answers."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [PRONOIA, "serve", "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, _first_words(process)
    finally:
        for left in _family(process):
            left.kill()
        process.communicate()


def _first_words(process: subprocess.Popen[str]) -> str:
    """Read the JSON document or the welcome; both end with a line of their own."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n" or "?limit=" in line:
            return "".join(lines)
    raise AssertionError(process.communicate())


def _family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait_until_it_answers(url: str) -> None:
    """Ask until the port is listened on. The announcement comes before that; `make run` prints curl lines in it."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            assert httpx2.get(f"{url}/health", timeout=START_SECONDS).status_code == 200
        except httpx2.ConnectError:
            continue
        else:
            return
    raise AssertionError("no answer")


def stop(process: subprocess.Popen[str], number: signal.Signals) -> list[psutil.Process]:
    """Signal a server, wait for its end, and give the processes that outlived it."""
    family = _family(process)
    process.send_signal(number)
    process.communicate(timeout=STOP_SECONDS)
    _, alive = psutil.wait_procs(family, timeout=1)
    # Where nobody inherits orphans, the dead stay listed.
    return [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def postgres_processes(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if "postgres" in (process.info["name"] or "") and str(folder) in (process.info["cwd"] or "")
    ]


def test_the_first_start_prints_a_key_and_three_curl_lines_that_work(data_folder: Path) -> None:
    with serving("--data", str(data_folder), "--first-key") as (process, words):
        lines = [line.strip() for line in words.splitlines() if line.strip().startswith("curl ")]
        assert len(lines) == 3
        key = words.partition("Your API key: ")[2].split()[0]
        url = httpx2.URL(shlex.split(lines[0])[2])
        wait_until_it_answers(f"http://{url.netloc.decode()}")
        if shutil.which("curl") is None:
            pytest.skip("curl is missing")
        remembered, found, listed = (
            json.loads(subprocess.check_output(shlex.split(line)))  # noqa: S603 - the line that we print
            for line in lines
        )
        assert remembered["text"] == "Ada likes her tea without milk."
        assert found["results"][0]["text"].startswith("The nightly report failed because")
        assert listed["total"] == len(SAMPLE) + 1
        assert listed["memories"][0]["id"] == remembered["id"]
        assert key in lines[0]
        assert postgres_processes(data_folder)
        assert stop(process, signal.SIGINT) == []
        assert process.returncode == 0
        assert postgres_processes(data_folder) == []
    with serving("--data", str(data_folder), "--first-key") as (process, words):
        assert key in words, "the second start shows the same key"
        assert stop(process, signal.SIGINT) == []


def test_a_stop_whose_interrupt_was_lost_before_the_server_listened_still_stops_it() -> None:
    stop = _Stop()
    server = _Server(uvicorn.Config("pronoia.app:create"), stop)
    with pytest.raises(KeyboardInterrupt):
        stop.interrupt(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt), server.capture_signals():
        assert server.should_exit


def test_keys_are_made_beside_a_running_server_a_second_server_is_refused_and_sigterm_ends_a_half_sent_body(
    data_folder: Path,
) -> None:
    place = ("--data", str(data_folder))
    before = run("keys", "create", "--user", "ada", "--quiet", *place)
    assert (before.returncode, before.stdout.count("\n")) == (0, 1)
    with serving("--json", *place) as (process, words):
        port = json.loads(words)["port"]
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(url)
        beside = run("keys", "create", "--user", "ada", "--quiet", *place)
        assert (beside.returncode, beside.stdout.count("\n")) == (0, 1)
        for made in (before, beside):
            answer = httpx2.get(f"{url}/api/v1/memories", headers={"X-API-Key": made.stdout.strip()})
            assert (answer.status_code, answer.json()["total"]) == (200, 0)

        second = run("serve", "--port", "0", *place)
        assert second.returncode == 3
        assert f"A server already runs on {data_folder.resolve()}." in second.stderr
        assert httpx2.get(f"{url}/health").status_code == 200

        with socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(b"POST /api/v1/memories HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            # The answer to a later request says that the server has read the first.
            assert httpx2.get(f"{url}/health").status_code == 200
            assert stop(process, signal.SIGTERM) == []
        assert process.returncode == 0
    assert postgres_processes(data_folder) == []


def test_two_workers_answer_reads_from_the_version_that_a_write_gave(database_url: str) -> None:
    key = run("keys", "create", "--user", "ada", "--quiet", "--database-url", database_url).stdout.strip()
    with serving("--json", "--workers", "2", "--database-url", database_url) as (process, words):
        url = f"http://127.0.0.1:{json.loads(words)['port']}"
        wait_until_it_answers(url)
        for number in range(50):
            headers = {"X-API-Key": key}
            text = f"The number is {number}"
            # A connection each: whichever worker accepts it answers.
            written = httpx2.post(f"{url}/api/v1/memories", headers=headers, json={"text": text})
            headers["X-Memory-Version"] = written.headers["X-Memory-Version"]
            read = httpx2.get(f"{url}/api/v1/memories?limit=1", headers=headers)
            assert (read.json()["total"], read.json()["memories"][0]["text"]) == (number + 1, text)
            assert int(read.headers["X-Memory-Version"]) >= int(headers["X-Memory-Version"])
        assert stop(process, signal.SIGINT) == []
        assert process.returncode == 0
