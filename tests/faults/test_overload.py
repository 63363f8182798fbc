"""More requests than can be served, by clients who ask again at once. See operations.md, section 4, test 17."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from statistics import fmean
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import psutil
import pytest
from fault_server import LONG, serving, times, until

from pronoia.benchmark.load.generator import Behaviour, Generator
from pronoia.benchmark.load.mix import Mix, User, post
from pronoia.benchmark.load.scenarios import STORM
from pronoia.benchmark.load.schedule import Stage
from pronoia.benchmark.load.target import Target, fill, settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fault_server import FaultyServer, OwnPostgres

    from pronoia.benchmark.load.recorder import Recorder, Second

USERS = 10
MEMORIES = 100
PROBED = 1_000
"""Requests that tell how many a second can be served."""
OVERLOADED_SECONDS = times(5, 60)
CALM_SECONDS = 2
AFTERWARDS_SECONDS = 12
RECOVERY_SECONDS = 10
LEAST_GOODPUT = 0.8 if LONG else 0.5
"""Of the peak. Five seconds on a machine that does other things as well do not tell it to a fifth."""
DEAD = 100
"""Fewer than may wait to be accepted."""


@pytest.fixture
def server(victim: OwnPostgres, tmp_path: Path) -> Iterator[FaultyServer]:
    cores = sorted(os.sched_getaffinity(0))
    with serving(victim.url, tmp_path / "log", PRONOIA_LOG_LEVEL="error") as server:
        if len(cores) > 1:
            psutil.Process(server.process.pid).cpu_affinity(cores[:1])
            os.sched_setaffinity(0, cores[1:])
        yield server
    os.sched_setaffinity(0, cores)


def test_five_times_too_much_by_clients_who_ask_again_is_served_at_the_peak_and_forgotten_at_once(
    server: FaultyServer, victim: OwnPostgres, seed: int
) -> None:
    key = victim.key()
    users = [User(f"overload-{number}", key) for number in range(USERS)]
    target = Target("127.0.0.1", server.port, users, server.process.pid, victim.url)
    peak, record = asyncio.run(_overload(target, seed))
    end = CALM_SECONDS + OVERLOADED_SECONDS
    goodput = fmean(second.answered for second in record.seconds[CALM_SECONDS:end])
    recovery = _recovery(record.seconds[end:])
    sys.stdout.write(
        f"17 overload: seed {seed}, peak {peak:.0f}/s, goodput {goodput / peak:.0%}, recovery {recovery} s\n"
    )
    assert goodput >= LEAST_GOODPUT * peak
    assert recovery <= RECOVERY_SECONDS


async def _overload(target: Target, seed: int) -> tuple[float, Recorder]:
    await fill(target, MEMORIES, lambda: None)
    await settle(target)
    host = f"{target.host}:{target.port}"
    mix = Mix(host, target.users, topics=MEMORIES, seed=seed)
    probe = Generator(target.host, target.port, mix, Behaviour(patience_seconds=60, connections=8))
    await probe.run([Stage(USERS * 10, 2)], lambda *_: None)
    started = time.perf_counter()
    await probe.run([Stage(2 * PROBED, 0.5)], lambda *_: None)
    peak = PROBED / (time.perf_counter() - started)
    await probe.close()
    storm = Generator(target.host, target.port, mix, STORM)
    stages = [
        Stage(peak / 2, CALM_SECONDS),
        Stage(5 * peak, OVERLOADED_SECONDS),
        Stage(peak / 2, AFTERWARDS_SECONDS),
    ]
    try:
        return peak, await storm.run(stages, lambda *_: None)
    finally:
        await storm.close()


def _recovery(after: Sequence[Second]) -> float:
    """Give the first second from which on, for three, all was answered at the first attempt."""
    good = [second.answered == second.due and second.retried == 0 for second in after[:AFTERWARDS_SECONDS]]
    return next((start for start in range(len(good) - 2) if all(good[start : start + 3])), float("inf"))


def test_a_request_whose_client_hung_up_before_it_was_read_is_not_done(
    server: FaultyServer, victim: OwnPostgres
) -> None:
    """Otherwise a server that was overloaded goes on working for nobody, and is overloaded by that."""
    user = User("gone", victim.key())
    headers = {"X-API-Key": user.key, "X-User-ID": user.name}
    server.family()[0].suspend()
    try:
        for number in range(DEAD):
            with socket.create_connection(("127.0.0.1", server.port)) as gone:
                gone.sendall(post("127.0.0.1", user, "/api/v1/memories", {"text": f"Nobody {number}"}, uuid4().hex))
    finally:
        server.family()[0].resume()
    answer = httpx2.post(f"{server.url}/api/v1/memories", json={"text": "Somebody"}, headers=headers, timeout=30)
    assert answer.status_code == 201
    # The listen queue is first in, first out: whoever asked before was met before.
    until(lambda: _connections(server) == 0, 10)
    answer = httpx2.get(f"{server.url}/api/v1/memories", params={"limit": 1000}, headers=headers, timeout=30)
    texts = [memory["text"] for memory in answer.json()["memories"]]
    assert texts == ["Somebody"]


def _connections(server: FaultyServer) -> int:
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(one.status != psutil.CONN_LISTEN and one.laddr.port == server.port for one in connections)
