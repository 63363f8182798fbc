"""Two processes, each with its own copy of a user's memory, while the connection that tells them of changes is cut."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
from fault_server import serving, times
from ledger import Writers, check

if TYPE_CHECKING:
    from pathlib import Path

    from fault_proxy import FaultProxy
    from fault_server import OwnPostgres
    from ledger import Writer

STALE_SECONDS = 5.0
"""An answer without X-Memory-Version is no older than that, however the connection is cut."""


def test_what_was_written_here_is_read_there_and_nobody_elses(
    victim: OwnPostgres, proxy: FaultProxy, tmp_path: Path, seed: int
) -> None:
    races = times(60, 1_000)
    chance = random.Random(seed)  # noqa: S311 - a schedule of races
    heard = {"PRONOIA_DATABASE_DIRECT_URL": victim.url_through(proxy.port)}
    with (
        serving(victim.url, tmp_path / "one", **heard) as one,
        serving(victim.url, tmp_path / "two", **heard) as two,
        httpx2.Client(timeout=10) as http,
    ):
        writers = Writers([one.url, two.url], [victim.key(), victim.key()], seed)
        worst = 0.0
        for number in range(races):
            writer, other = chance.sample(writers.writers, 2)
            here, there = chance.sample([one.url, two.url], 2)
            if number % 10 == 9:
                proxy.reset_connections()
            entry = writer.next_entry()
            writer.ledger.append(entry)
            writer._urls = [here]
            writer.send(entry)
            assert _found(http, there, writer, entry.texts[0], writer.version) == entry.texts[0]
            assert other.canary not in str(_search(http, there, writer, other.canary, writer.version))
            worst = max(worst, _seconds_until_forgotten(http, here, there, writer, entry.ids[0], entry.texts))
        check(one.url, writers, victim, [one.log, two.log])
    assert proxy.faults >= races // 10
    writers.report(f"18 cache told late ({races} races)", proxy.faults, [worst])


def _seconds_until_forgotten(
    http: httpx2.Client, here: str, there: str, writer: Writer, memory_id: str, texts: list[str]
) -> float:
    """Change a memory in one process and ask the other, without a version, until it has heard of it."""
    old, texts[0] = texts[0], f"{writer.canary} changed {uuid4().hex}"
    changed = http.patch(f"{here}/api/v1/memories/{memory_id}", json={"text": texts[0]}, headers=writer.headers)
    assert changed.status_code == 200, changed.text
    writer.version = int(changed.headers["X-Memory-Version"])
    started = time.monotonic()
    while _found(http, there, writer, texts[0], None) != texts[0]:
        assert time.monotonic() - started < STALE_SECONDS, f"{old!r} is still there"
    return time.monotonic() - started


def _found(http: httpx2.Client, url: str, writer: Writer, text: str, version: int | None) -> str:
    """Give the nearest memory's text: the same words, unless the process does not know the memory yet."""
    return _search(http, url, writer, text, version)[0]["text"]


def _search(http: httpx2.Client, url: str, writer: Writer, text: str, version: int | None) -> list[dict[str, object]]:
    headers = {**writer.headers, "X-Memory-Version": str(version)}
    if version is None:
        del headers["X-Memory-Version"]
    answer = http.post(f"{url}/api/v1/memories/search", json={"query": text, "limit": 1}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["memories"]
