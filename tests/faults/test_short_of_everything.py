"""Processes that run out of descriptors, restart under load, and live through clocks that jump."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx2
import psutil
import pytest
from fault_server import serving, times, until
from ledger import Writers, check

from processes import has_ended

if TYPE_CHECKING:
    from pathlib import Path

    from fault_server import FaultyServer, OwnPostgres

WRITERS = 3
RECOVERY_SECONDS = 10.0
SHUTDOWN_SECONDS = times(2, 8)
"""The setting's default in the long form."""
DRAIN_SECONDS = SHUTDOWN_SECONDS + 4.0
DESCRIPTORS = 64
HALF_A_REQUEST = b"POST /api/v1/memories HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def test_without_descriptors_the_server_waits_and_does_not_spin(victim: OwnPostgres, tmp_path: Path, seed: int) -> None:
    limited = ("prlimit", f"--nofile={DESCRIPTORS}")
    with serving(victim.url, tmp_path / "log", prefix=limited) as server:
        with Writers([server.url], [victim.key()], seed) as writers:
            writers.await_acknowledgements(RECOVERY_SECONDS)
            with ExitStack() as crowd:
                for _ in range(2 * DESCRIPTORS):
                    crowd.enter_context(socket.create_connection(("127.0.0.1", server.port), 1))
                before = _processor_seconds(server)
                # How busy it is can only be seen over time.
                time.sleep(times(2, 30))
                busy = (_processor_seconds(server) - before) / times(2, 30)
            recovery = writers.await_acknowledgements(RECOVERY_SECONDS)
        check(server.url, writers, victim)
    assert busy < 0.5
    writers.report("10 no descriptors", 1, [recovery])


def _processor_seconds(server: FaultyServer) -> float:
    used = psutil.Process(server.process.pid).cpu_times()
    return used.user + used.system


def test_workers_that_restart_in_turn_fail_no_request(victim: OwnPostgres, tmp_path: Path, seed: int) -> None:
    """One client holds half a request all the while; it may not hold up a worker's end."""
    restarts, drains = times(2, 10), []
    patience = {"PRONOIA_SHUTDOWN_SECONDS": str(SHUTDOWN_SECONDS)}
    with serving(victim.url, tmp_path / "log", "--workers", "2", **patience) as server:
        with Writers([server.url], [victim.key() for _ in range(WRITERS)], seed) as writers:
            for number in range(restarts):
                writers.await_acknowledgements(RECOVERY_SECONDS)
                with socket.create_connection(("127.0.0.1", server.port), 1) as half:
                    half.sendall(HALF_A_REQUEST)
                    ending = server.workers()[number % 2]
                    ending.send_signal(signal.SIGTERM)
                    drains.append(until(lambda ending=ending: has_ended(ending), DRAIN_SECONDS))
                until(lambda: len(server.workers()) == 2, RECOVERY_SECONDS)
            writers.await_acknowledgements(RECOVERY_SECONDS)
        check(server.url, writers, victim)
    failed = [entry for entry in writers.entries if set(entry.statuses) - {0, 201}]
    assert not failed
    assert writers.attempts_that_failed <= restarts, "more than the connections that a worker closed as it ended"
    writers.report("14 worker restarted", restarts, drains)


@pytest.mark.skipif(not os.path.exists(FAKETIME), reason="needs the Debian package faketime")  # noqa: PTH110
def test_a_clock_that_jumps_neither_repeats_nor_loses_a_write(victim: OwnPostgres, tmp_path: Path, seed: int) -> None:
    """Only the server's clock: leases and the ages of idempotency keys are the database's."""
    offset = tmp_path / "offset"
    offset.write_text("+0")
    fake = {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    jumps = ("+1h", "-1h", "+1d", "-1d", "+0")
    with serving(victim.url, tmp_path / "log", **fake) as server:
        writers = Writers([server.url], [victim.key()], seed)
        (writer,) = writers.writers
        for jump in jumps:
            before = writer.next_entry()
            writer.ledger.append(before)
            writer.send(before)
            offset.write_text(jump)
            again = httpx2.post(
                server.url + before.path,
                json=before.body,
                headers={**writer.headers, "Idempotency-Key": before.key},
                timeout=RECOVERY_SECONDS,
            )
            assert [memory["id"] for memory in again.json().get("memories", [again.json()])] == before.ids
            after = writer.next_entry()
            writer.ledger.append(after)
            writer.send(after)
            assert after.statuses == [201]
        check(server.url, writers, victim, [server.log])
        _jumped(server, writer.headers)
    writers.report("12 clock jumps", len(jumps))


def _jumped(server: FaultyServer, headers: dict[str, str]) -> None:
    """See that the clock was not the real one at all."""
    page = httpx2.get(f"{server.url}/api/v1/memories?limit=100", headers=headers, timeout=RECOVERY_SECONDS).json()
    assert len({memory["created_at"][:10] for memory in page["memories"]}) > 1
