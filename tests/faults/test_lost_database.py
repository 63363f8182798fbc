"""PostgreSQL loses processes, crashes, falls silent, or its answer is lost on the way. See operations.md, section 4."""

from __future__ import annotations

import os
import random
import signal
import time
from statistics import median
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
from fault_server import serving, times, until
from ledger import Writer, Writers, check

if TYPE_CHECKING:
    from pathlib import Path

    from fault_proxy import FaultProxy
    from fault_server import FaultyServer, OwnPostgres

WRITERS = 3
RECOVERY_SECONDS = 5.0
PATIENCE_SECONDS = 30.0
"""A machine that is busy with other things may take longer, now and then."""
BACKENDS = "select pid from pg_stat_activity where application_name = 'pronoia' and backend_type = 'client backend'"


def test_killed_database_processes_cost_seconds_and_no_write(victim: OwnPostgres, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - whom it hits
    kills, recoveries = times(4, 50), []
    with serving(victim.url, tmp_path / "log") as server:
        with Writers([server.url], [victim.key() for _ in range(WRITERS)], seed) as writers:
            for _ in range(kills):
                writers.await_acknowledgements(PATIENCE_SECONDS)
                os.kill(chance.choice(victim.query(BACKENDS))["pid"], signal.SIGKILL)
                recoveries.append(writers.await_acknowledgements(PATIENCE_SECONDS))
        check(server.url, writers, victim, [server.log])
    assert median(recoveries) <= RECOVERY_SECONDS
    writers.report("2 backend killed", kills, recoveries)


def test_a_crashed_database_is_used_again_as_soon_as_it_is_back(victim: OwnPostgres, tmp_path: Path, seed: int) -> None:
    crashes, recoveries = times(2, 10), []
    with serving(victim.url, tmp_path / "log") as server:
        with Writers([server.url], [victim.key() for _ in range(WRITERS)], seed) as writers:
            for _ in range(crashes):
                writers.await_acknowledgements(PATIENCE_SECONDS)
                victim.crash()
                recoveries.append(writers.await_acknowledgements(PATIENCE_SECONDS))
        check(server.url, writers, victim, [server.log])
    assert median(recoveries) <= RECOVERY_SECONDS
    writers.report("3 postmaster crashed", crashes, recoveries)


def test_a_commit_whose_answer_was_lost_is_done_once(
    victim: OwnPostgres, proxy: FaultProxy, tmp_path: Path, seed: int
) -> None:
    """A single write is one statement, known by its text; a change is a transaction that ends with COMMIT."""
    rounds = times(5, 50)
    with serving(victim.url_through(proxy.port), tmp_path / "log") as server:
        writers = Writers([server.url], [victim.key()], seed)
        (writer,) = writers.writers
        for _ in range(rounds):
            entry = writer.next_entry()
            writer.ledger.append(entry)
            proxy.lose_answer_to(entry.texts[0].encode())
            writer.send(entry)
            assert entry.statuses == [503, 201]
            _lose_the_answer_to_a_change(server, proxy, writer, entry.ids[0], entry.texts)
        check(server.url, writers, victim, [server.log])
    assert proxy.faults == 2 * rounds
    writers.report("4 commit's answer lost", proxy.faults, [])


def _lose_the_answer_to_a_change(
    server: FaultyServer, proxy: FaultProxy, writer: Writer, memory_id: str, texts: list[str]
) -> None:
    texts[0] = f"{writer.canary} changed {uuid4().hex}"
    headers = {**writer.headers, "Idempotency-Key": uuid4().hex}

    def change() -> httpx2.Response:
        return httpx2.patch(
            f"{server.url}/api/v1/memories/{memory_id}", json={"text": texts[0]}, headers=headers, timeout=10
        )

    proxy.lose_answer_to(texts[0].encode(), b"COMMIT")
    assert change().status_code == 503
    again = change()
    assert (again.status_code, again.json()["text"]) == (200, texts[0])
    versions = httpx2.get(f"{server.url}/api/v1/memories/{memory_id}/history", headers=writer.headers, timeout=10)
    assert [one["event"] for one in versions.json()["history"]] == ["ADD", "UPDATE"]


def test_a_silent_database_makes_every_call_end_in_time(
    victim: OwnPostgres, proxy: FaultProxy, tmp_path: Path, seed: int
) -> None:
    limits = {"PRONOIA_DATABASE_TIMEOUT_SECONDS": "1", "PRONOIA_REQUEST_TIMEOUT_SECONDS": "3"}
    with serving(victim.url_through(proxy.port), tmp_path / "log", **limits) as server:
        with Writers([server.url], [victim.key() for _ in range(WRITERS)], seed) as writers:
            writers.await_acknowledgements(PATIENCE_SECONDS)
            proxy.fall_silent()
            _every_call_ends(server, victim.key(), times(4, 30))
            proxy.speak()
            recovery = writers.await_acknowledgements(PATIENCE_SECONDS)
        check(server.url, writers, victim, [server.log])
    writers.report("5 database silent", 1, [recovery])


def _every_call_ends(server: FaultyServer, key: str, seconds: float) -> None:
    ends = time.monotonic() + seconds
    headers = {"X-API-Key": key, "X-User-ID": "ada"}
    while time.monotonic() < ends:
        started = time.monotonic()
        answer = httpx2.post(f"{server.url}/api/v1/memories", json={"text": "x"}, headers=headers, timeout=20)
        assert (answer.status_code, time.monotonic() - started < 4) == (503, True)
        assert int(answer.headers["Retry-After"]) >= 1
        assert httpx2.get(f"{server.url}/api/v1/monitoring/live", timeout=1).status_code == 200
        assert httpx2.get(f"{server.url}/api/v1/monitoring/ready", timeout=5).status_code == 503


def test_more_connections_than_the_database_gives_are_refused_and_come_back(
    victim: OwnPostgres, tmp_path: Path, seed: int
) -> None:
    with serving(victim.url, tmp_path / "log", PRONOIA_DATABASE_TIMEOUT_SECONDS="1") as server:
        with Writers([server.url], [victim.key() for _ in range(WRITERS)], seed) as writers:
            writers.await_acknowledgements(PATIENCE_SECONDS)
            victim.query("alter role pronoia connection limit 0")
            try:
                for backend in victim.query(BACKENDS):
                    victim.query("select pg_terminate_backend($1)", backend["pid"])
                headers = {"X-API-Key": writers.writers[0].key, "X-User-ID": "ada"}
                started = time.monotonic()
                until(lambda: _post(server, headers).status_code == 503, RECOVERY_SECONDS)
                assert time.monotonic() - started < RECOVERY_SECONDS
            finally:
                victim.query("alter role pronoia connection limit -1")
            recovery = writers.await_acknowledgements(PATIENCE_SECONDS)
        check(server.url, writers, victim, [server.log])
    writers.report("10 no connection to be had", 1, [recovery])


def _post(server: FaultyServer, headers: dict[str, str]) -> httpx2.Response:
    return httpx2.post(f"{server.url}/api/v1/memories", json={"text": "x"}, headers=headers, timeout=10)
