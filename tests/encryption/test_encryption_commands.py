from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import asyncpg
from encryption_makers import write_master_key

from pronoia.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from conftest import RunningServer


class Writers:
    """Write and read from threads until told to stop."""

    def __init__(self, server: RunningServer, count: int) -> None:
        self.statuses: list[int] = []
        self._stop, self._server, self._more = Event(), server, Condition()
        self._threads = [Thread(target=self._write, args=(number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for(self, count: int) -> None:
        """Let so many more requests be answered."""
        enough = len(self.statuses) + count
        with self._more:
            assert self._more.wait_for(lambda: len(self.statuses) >= enough, timeout=30)

    def _write(self, number: int) -> None:
        headers = {"X-API-Key": self._server.key, "Content-Type": "application/json"}
        with closing(http.client.HTTPConnection(urlsplit(self._server.url).netloc, timeout=30)) as connection:
            while not self._stop.is_set():
                body = json.dumps({"text": f"Canary {number} {len(self.statuses)}"})
                for method, path, content in (
                    ("POST", "/api/v1/memories", body),
                    ("POST", "/api/v1/memories/search", '{"query": "Canary"}'),
                ):
                    connection.request(method, path, content, headers)
                    response = connection.getresponse()
                    response.read()
                    with self._more:
                        self.statuses.append(response.status)
                        self._more.notify_all()


def _run(database_url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [str(Path(sys.executable).with_name("pronoia")), *arguments, "--database-url", database_url],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def _told(database_url: str) -> list[str]:
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        acts = "select action from audit_log where actor = 'command' order by place"
        return [row["action"] for row in await connection.fetch(acts)]
    finally:
        await connection.close()


def test_texts_are_encrypted_and_the_master_key_changes_while_a_server_writes(
    database_url: str, tmp_path: Path, serve: Callable[..., AbstractContextManager[RunningServer]]
) -> None:
    with serve(database_url) as server, Writers(server, 1) as before:
        before.wait_for(10)
    current, previous = write_master_key(tmp_path / "current"), tmp_path / "previous"
    keys = {"PRONOIA_MASTER_KEY_FILE": f"{current}{os.pathsep}{previous}"}
    previous.touch(mode=0o600)
    previous.write_bytes(current.read_bytes())
    with serve(database_url, **keys) as server, Writers(server, 3) as writers:
        encrypted = _run(database_url, "encryption", "encrypt", "--json", **keys)
        current.write_bytes(write_master_key(tmp_path / "new").read_bytes())
        rotated = _run(database_url, "encryption", "rotate", "--json", **keys)
        writers.wait_for(30)
    assert json.loads(encrypted.stdout)["left"] == 0
    assert json.loads(encrypted.stdout)["encrypted"] >= 5
    assert json.loads(rotated.stdout)["rewrapped"] == 1
    assert {status for status in writers.statuses if status >= HTTPStatus.BAD_REQUEST} == set()
    status = json.loads(_run(database_url, "encryption", "status", "--json", **keys).stdout)
    (organisation,) = status["organisations"]
    assert organisation["master_key"] == status["master_keys"][0] == json.loads(rotated.stdout)["master_key"]
    assert organisation["plain_memories"] == 0

    assert asyncio.run(_told(database_url)) == ["encryption_begun", "master_key_rotated"]
    for wrong in ({}, {"PRONOIA_MASTER_KEY_FILE": str(previous)}):
        refused = _run(database_url, "serve", "--port", "0", **wrong)
        assert refused.returncode == ExitCode.CONFIGURATION
        assert "set PRONOIA_MASTER_KEY_FILE or" in refused.stderr
