"""Each runbook of docs/operations.md against the fault that it is for: what it has one look at shows it, what it has
one do ends it. Statements are read off the page.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import httpx2
import numpy as np
import pytest
from fault_server import serving, until

from redis_server import running_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fault_proxy import FaultProxy
    from fault_server import FaultyServer, OwnPostgres
    from numpy.typing import NDArray

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
WATCHFUL = {"PRONOIA_ALERT_SECONDS": "1"}
UNDAUNTED = {
    "PRONOIA_DEGRADATION_HIGH_LOAD_THRESHOLD": "3",
    "PRONOIA_DEGRADATION_CRITICAL_LOAD_THRESHOLD": "3",
}
"""On a machine that is busy with other things, reports would be off now and then."""
SHOWN_SECONDS = 60.0
MENDED_SECONDS = 60.0
EVIDENCE = 5
"""So many bad requests make an alert."""
BLOCKED_WRITES = 8
SLOW_SECONDS = 1.0
BLOCKED_LONG = """
    select from pg_stat_activity where wait_event_type = 'Lock' and now() - query_start > interval '1200 ms'
"""
CROWD = 6
MOST_DAYS = 90
DELAY_SECONDS = 0.05


@pytest.fixture(autouse=True)
def _no_past(victim: OwnPostgres) -> None:
    """Forget what other tests did to it: service levels are of an hour, and whoever judged them leads for a minute."""
    for table in ("service_levels", "alerts", "process_reports", "instance_leases"):
        victim.query(f"delete from {table}")  # noqa: S608 - our own names


class Operator:
    """Has an admin's key, and a user who does what users do."""

    def __init__(self, server: FaultyServer, key: str) -> None:
        self._log = server.log
        headers = {"X-API-Key": key, "X-User-ID": "ada"}
        self._http = httpx2.Client(base_url=server.url, headers=headers, timeout=30)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str) -> httpx2.Response:
        return self._http.get(path)

    def remember(self) -> httpx2.Response:
        return self._http.post("/api/v1/memories", json={"text": "Ada keeps bees"})

    def suggest(self) -> httpx2.Response:
        return self._http.post("/api/v1/memories/suggest", json={"context": "bees"})

    def measure(self, name: str, **labels: str) -> float:
        """Add up the series of a name that have these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.split()[-1]) for line in lines if all(one in line for one in wanted))

    def logged(self, event: str) -> list[dict[str, object]]:
        """Wait for what the log says of an event: it is written a moment later than done."""
        until(lambda: self._lines(event), SHOWN_SECONDS)
        return self._lines(event)

    def _lines(self, event: str) -> list[dict[str, object]]:
        whole = [line for line in self._log.read_text().splitlines(keepends=True) if line.startswith("{")]
        lines = [json.loads(line) for line in whole if line.endswith("\n")]
        return [line for line in lines if line["message"] == event]

    def firing(self) -> set[str]:
        return {alert["name"] for alert in self.get("/alerts").json()["alerts"] if alert["state"] == "firing"}

    def component(self, name: str) -> str:
        return self.get(f"/api/v1/monitoring/components/{name}").json()["status"]


@contextmanager
def operating(victim: OwnPostgres, log: Path, *, database_url: str = "", **settings: str) -> Iterator[Operator]:
    """Run a server and be its operator."""
    with serving(database_url or victim.url, log, **settings) as server, closing(Operator(server, victim.key())) as one:
        yield one


@contextmanager
def crowd(operator: Operator) -> Iterator[None]:
    """Have several write at once, again and again."""
    stopping = threading.Event()

    def write() -> None:
        while not stopping.is_set():
            operator.remember()

    threads = [threading.Thread(target=write) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def statement(part: str) -> str:
    """Read the statement off the page that has this in it."""
    (found,) = [
        line.strip()
        for line in OPERATIONS.read_text().splitlines()
        if line.startswith("        select ") and part in line
    ]
    return found


@contextmanager
def holding(database: OwnPostgres, locking: str) -> Iterator[None]:
    """Hold a lock, as a transaction does that somebody forgot, until it is ended from outside."""
    held, ended = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(database.url.replace("pronoia@", "postgres@"))
        try:
            await connection.execute(f"begin; {locking}")
            held.set()
            await asyncio.to_thread(ended.wait)
        finally:
            connection.terminate()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert held.wait(SHOWN_SECONDS)
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_high_latency_is_told_by_statement_and_ended_with_the_transaction_that_blocks(
    victim: OwnPostgres, tmp_path: Path
) -> None:
    blockers, end = statement("pg_blocking_pids"), statement("pg_terminate_backend")
    with operating(victim, tmp_path / "log", **WATCHFUL) as operator:
        assert operator.remember().status_code == 201
        answers: list[int] = []
        with holding(victim, "lock table memories in share row exclusive mode"):
            waiting = [
                threading.Thread(target=lambda: answers.append(operator.remember().status_code))
                for _ in range(BLOCKED_WRITES)
            ]
            for one in waiting:
                one.start()
            until(lambda: victim.query(BLOCKED_LONG), SHOWN_SECONDS)
            (blocker,) = victim.query(blockers)
            assert blocker["query"].endswith("share row exclusive mode")
            victim.query(end.replace("PID", str(blocker["pid"])))
            for one in waiting:
                one.join()
        assert answers == [201] * BLOCKED_WRITES
        assert operator.logged("query.slow")
        route = {"route": "/api/v1/memories", "status_code": "201"}
        slow = operator.measure("http_request_duration_seconds_count", **route) - operator.measure(
            "http_request_duration_seconds_bucket", le="1.0", **route
        )
        assert slow == BLOCKED_WRITES
        assert operator.measure("db_slow_queries_total") >= 1
        until(lambda: operator.get("/sla?period=1h").json()["violations"]["latencyP95"], SHOWN_SECONDS)
        until(lambda: "LatencyP95BudgetBurn" in operator.firing(), SHOWN_SECONDS)
        assert operator.remember().elapsed.total_seconds() < SLOW_SECONDS


def test_an_exhausted_pool_is_told_by_who_waits_for_it_and_ended_by_more_connections(
    victim: OwnPostgres, proxy: FaultProxy, tmp_path: Path
) -> None:
    url = victim.url_through(proxy.port)
    with operating(victim, tmp_path / "few", database_url=url, PRONOIA_DATABASE_CONNECTIONS="2") as few:
        proxy.delay(DELAY_SECONDS, 0)
        before = _waits(few)
        with crowd(few):
            until(lambda: few.measure("bulkhead_queued", bulkhead="database") >= 1, SHOWN_SECONDS)
            until(lambda: _fullest(few) == "pool_wait", SHOWN_SECONDS)
        proxy.delay(0, 0)
        waited, calls = _waits(few) - before
        assert waited / calls > 1 / 3
    enough = str(2 * CROWD)
    with operating(victim, tmp_path / "enough", database_url=url, PRONOIA_DATABASE_CONNECTIONS=enough) as operator:
        proxy.delay(DELAY_SECONDS, 0)
        before = _waits(operator)
        with crowd(operator):
            until(lambda: operator.measure("memories_created_total") >= 2 * CROWD, MENDED_SECONDS)
            assert operator.measure("bulkhead_queued", bulkhead="database") == 0
            until(lambda: operator.measure("memories_created_total") >= 6 * CROWD, MENDED_SECONDS)
        proxy.delay(0, 0)
        waited, calls = _waits(operator) - before
        assert waited / calls < 1 / 4


def _waits(operator: Operator) -> NDArray[np.float64]:
    """Count the calls for which no connection was free, those included for which one was opened, and all calls."""
    waits = "db_connection_wait_seconds"
    calls = operator.measure(f"{waits}_count")
    return np.array((calls - operator.measure(f"{waits}_bucket", le="0.01"), calls))


def _fullest(operator: Operator) -> str:
    signals = ("loop_lag", "pool_wait", "concurrency", "memory")
    return max(signals, key=lambda signal: operator.measure("saturation", signal=signal))


def test_an_open_breaker_is_told_by_metrics_log_and_readiness_and_closes_once_the_database_is_back(
    victim: OwnPostgres, proxy: FaultProxy, tmp_path: Path
) -> None:
    limits = {"PRONOIA_DATABASE_TIMEOUT_SECONDS": "1", "PRONOIA_REQUEST_TIMEOUT_SECONDS": "3"}
    url = victim.url_through(proxy.port)
    with operating(victim, tmp_path / "log", database_url=url, **limits, **WATCHFUL) as operator:
        assert operator.remember().status_code == 201
        proxy.fall_silent()
        until(lambda: operator.remember().json()["code"] == "CIRCUIT_BREAKER_OPEN", SHOWN_SECONDS)
        until(lambda: operator.measure("circuit_breaker_state", breaker_name="database") == 2, SHOWN_SECONDS)
        opened = operator.logged("breaker.changed")
        assert (opened[0]["breaker"], opened[0]["state"]) == ("database", "open")
        assert operator.measure("circuit_breaker_failures_total", breaker_name="database") >= 5
        assert operator.get("/health/ready").status_code == 503
        assert operator.get("/health/live").status_code == 200
        assert {operator.remember().status_code for _ in range(EVIDENCE)} == {503}
        proxy.speak()
        until(lambda: operator.remember().status_code == 201, MENDED_SECONDS)
        until(lambda: operator.measure("circuit_breaker_state", breaker_name="database") == 0, MENDED_SECONDS)
        assert operator.get("/health/ready").status_code == 200
        until(lambda: "AvailabilityBudgetBurn" in operator.firing(), SHOWN_SECONDS)


def test_a_lost_cache_is_told_by_tier_and_used_again_once_it_is_back(victim: OwnPostgres, tmp_path: Path) -> None:
    with (
        running_redis() as redis,
        operating(victim, tmp_path / "log", PRONOIA_CACHE_URL=redis.url, **UNDAUNTED) as operator,
    ):
        days = itertools.cycle(range(1, MOST_DAYS + 1))
        assert operator.remember().status_code == 201

        def asks_again(family: str) -> bool:
            """Ask what the first tier does not know, and see whether a count of the second went up."""
            before = operator.measure(family, tier="2")
            assert operator.get(f"/api/v1/learning/metrics?days={next(days)}").status_code == 200
            return operator.measure(family, tier="2") > before

        until(lambda: asks_again("cache_misses_total"), SHOWN_SECONDS)
        redis.stop()
        until(lambda: asks_again("cache_failures_total"), SHOWN_SECONDS)
        until(lambda: operator.component("cache") == "degraded", SHOWN_SECONDS)
        redis.start()
        until(lambda: asks_again("cache_misses_total"), MENDED_SECONDS)
        until(lambda: operator.component("cache") == "healthy", MENDED_SECONDS)


def test_features_that_are_off_are_told_with_the_signal_and_come_back_with_room_for_it(
    victim: OwnPostgres, tmp_path: Path
) -> None:
    with operating(victim, tmp_path / "full", PRONOIA_MEMORY_LIMIT_BYTES="1") as operator:
        _see_features_off(operator)
        assert _fullest(operator) == "memory"
        changed = operator.logged("degradation.changed")[-1]
        assert (changed["after"], changed["memory"] >= 0.95) == ("critical", True)
    with operating(victim, tmp_path / "roomy") as operator:
        until(lambda: operator.measure("degradation_level") == 0, MENDED_SECONDS)
        until(lambda: operator.suggest().json()["degraded"] is False, MENDED_SECONDS)


def test_features_are_taken_off_by_hand_with_the_thresholds(victim: OwnPostgres, tmp_path: Path) -> None:
    by_hand = dict(
        line.strip().split("=", 1)
        for line in OPERATIONS.read_text().splitlines()
        if line.startswith("        PRONOIA_DEGRADATION_")
    )
    assert len(by_hand) == 2
    with operating(victim, tmp_path / "log", **by_hand) as operator:
        _see_features_off(operator)


def _see_features_off(operator: Operator) -> None:
    until(lambda: operator.measure("degradation_level") == 2, SHOWN_SECONDS)
    assert operator.remember().status_code == 201
    suggested, report = operator.suggest(), operator.get("/api/v1/learning/metrics")
    assert (suggested.status_code, suggested.json()["degraded"]) == (200, True)
    assert (report.status_code, report.json()["code"]) == (503, "FEATURE_DEGRADED")
    for feature in ("context-suggestions", "learning-metrics"):
        assert operator.measure("features_degraded_total", feature=feature) == 1
