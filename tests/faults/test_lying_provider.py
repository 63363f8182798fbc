"""The embedding provider fails in every way it can: memories are kept, found by their words, and embedded later."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import httpx2
import pytest
from fault_server import LONG, serving, until
from ledger import Writers, check
from lying_embedder import LATE_LIE, LIES, LyingEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fault_server import OwnPostgres

WRITE_SECONDS = 3.0
MODE_SECONDS = 30.0 if LONG else 0.0
"""How long each lie goes on at least; one write of each is enough to see what it does."""
BACKFILL_SECONDS = 60.0


@pytest.fixture
def embedder() -> Iterator[LyingEmbedder]:
    with LyingEmbedder().running() as embedder:
        yield embedder


def test_memories_outlive_every_lie_of_the_provider(
    victim: OwnPostgres, embedder: LyingEmbedder, tmp_path: Path, seed: int
) -> None:
    lies = [lie for lie in LIES if lie != LATE_LIE]
    with serving(victim.url, tmp_path / "log", **embedder.settings) as server:
        writers = Writers([server.url], [victim.key()], seed)
        (writer,) = writers.writers
        for lie in lies:
            embedder.mode = lie
            ends = time.monotonic() + MODE_SECONDS
            while True:
                entry = writer.next_entry()
                writer.ledger.append(entry)
                started = time.monotonic()
                writer.send(entry)
                assert (entry.statuses, time.monotonic() - started < WRITE_SECONDS) == ([201], True), lie
                body = {"query": entry.texts[0].split()[-1], "limit": 1}
                found = httpx2.post(
                    f"{server.url}/api/v1/memories/search", json=body, headers=writer.headers, timeout=WRITE_SECONDS
                )
                assert [memory["text"] for memory in found.json()["memories"]] == [entry.texts[0]], lie
                if time.monotonic() >= ends:
                    break
        assert (
            victim.query("select count(*) from memories where user_id = $1 and embedding is not null", writer.user)[0][
                "count"
            ]
            == 0
        )
        embedder.mode = ""
        started = time.monotonic()
        until(lambda: _embedded(victim), BACKFILL_SECONDS)
        recovery = time.monotonic() - started
        check(server.url, writers, victim, [server.log])
    writers.report("7 provider lies", len(lies), [recovery])


def _embedded(victim: OwnPostgres) -> bool:
    victim.end_leases()
    return not victim.query("select from memories where embedding is null")


def _hangs(embedder: LyingEmbedder, victim: OwnPostgres) -> bool:
    """Say whether the work was taken and waits for the provider. What was tried before may be tried again at once."""
    victim.end_leases()
    return embedder.hangs.wait(0.1)


def test_a_frozen_process_does_not_overwrite_what_was_done_in_its_place(
    victim: OwnPostgres, embedder: LyingEmbedder, tmp_path: Path, seed: int
) -> None:
    """The first process takes the work and is stopped while the provider hangs; the second one finishes it."""
    embedder.mode = "500"
    patient = {**embedder.settings, "PRONOIA_EMBEDDING_TIMEOUT_SECONDS": "20"}
    with serving(victim.url, tmp_path / "first", **patient) as first:
        writers = Writers([first.url], [victim.key()], seed)
        (writer,) = writers.writers
        entry = writer.next_entry()
        writer.ledger.append(entry)
        writer.send(entry)
        embedder.mode = LATE_LIE
        until(lambda: _hangs(embedder, victim), BACKFILL_SECONDS)
        first.process.send_signal(signal.SIGSTOP)
        embedder.mode = ""
        with serving(victim.url, tmp_path / "second", **embedder.settings) as second:
            until(lambda: _embedded(victim), BACKFILL_SECONDS)
        stored = "select id, embedding::text from memories where user_id = $1 and id = any($2::uuid[]) order by id"
        done = victim.query(stored, writer.user, entry.ids)
        embedder.released.set()
        first.process.send_signal(signal.SIGCONT)
        # What it is given next it does after what it held when it was stopped.
        embedder.mode = "500"
        later = writer.next_entry()
        writer.ledger.append(later)
        writer.send(later)
        embedder.mode = ""
        until(lambda: _embedded(victim), BACKFILL_SECONDS)
        assert victim.query(stored, writer.user, entry.ids) == done
        check(first.url, writers, victim, [first.log, second.log])
    writers.report("11 process frozen", 1)
