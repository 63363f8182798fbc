"""PostgreSQL answers, but slowly. See operations.md, section 4, test 6."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import httpx2
from fault_server import serving, times, until
from ledger import Writers, check

from pronoia.domain.errors import OverloadedError

if TYPE_CHECKING:
    from pathlib import Path

    from fault_proxy import FaultProxy
    from fault_server import FaultyServer, OwnPostgres

DELAY_SECONDS, SPREAD_SECONDS = 0.2, 0.1
WRITERS = 16
"""Of the smallest limit, 20, what is optional may fill 16 and what is essential all."""
HIGHEST_LIMIT = 30
"""Half of it in use counts as crowded; of a server with more room, a slow database takes none that anybody misses."""
LOW_LIMIT = 21
FALL_SECONDS = 60.0
OBSERVED = times(25, 500)
"""Suggestions, most of which are turned away or left empty at once."""
PAUSE_SECONDS = 0.01
LIVE_SECONDS = 1.0
"""The promise for the 99th percentile."""
RECOVERY_SECONDS = 10.0
DEGRADED = "degraded"
SHED = {OverloadedError.code, DEGRADED}
FEW = 0.05
"""Of the writes, attempts that may be refused; each is acknowledged in the end, as `check` sees."""


class Asker(threading.Thread):
    """Asks one thing again and again until it is stopped, and notes each answer's outcome and how long it took."""

    def __init__(self, server: FaultyServer, method: str, path: str, headers: dict[str, str], body: object) -> None:
        super().__init__(name=path)
        self.answers: list[tuple[str, float]] = []
        self._server = server
        self._request = (method, f"{server.url}{path}", headers, body)
        self._stopping = threading.Event()

    def run(self) -> None:
        method, url, headers, body = self._request
        # A connection for each request: one on which it was turned away would not be read for a while.
        with httpx2.Client(headers={**headers, "Connection": "close"}, timeout=30) as http:
            while not self._stopping.wait(PAUSE_SECONDS):
                started = time.monotonic()
                answer = http.request(method, url, json=body)
                self.answers.append((_outcome(answer), time.monotonic() - started))

    def stop(self) -> list[tuple[str, float]]:
        """Give all answers."""
        self._stopping.set()
        self.join(60)
        assert not self.is_alive()
        return self.answers


def test_with_a_slow_database_the_limit_falls_and_what_can_wait_is_refused_before_what_cannot(
    victim: OwnPostgres, proxy: FaultProxy, tmp_path: Path, seed: int
) -> None:
    user = {"X-API-Key": victim.key(), "X-User-ID": "asker"}
    settings = {"PRONOIA_MAXIMUM_CONCURRENCY": str(HIGHEST_LIMIT)}
    with serving(victim.url_through(proxy.port), tmp_path / "log", **settings) as server:
        body = {"text": "Ada keeps bees behind the house"}
        assert httpx2.post(f"{server.url}/api/v1/memories", json=body, headers=user, timeout=30).status_code == 201
        about = {"query": "Ada's bees", "context": "Ada's bees"}
        suggesting = Asker(server, "POST", "/api/v1/memories/suggest", user, about)
        searching = Asker(server, "POST", "/api/v1/memories/search", user, about)
        living = Asker(server, "GET", "/health/live", {}, None)
        with Writers([server.url], [victim.key() for _ in range(WRITERS)], seed) as writers:
            writers.await_acknowledgements(30)
            # A slow machine alone may have taken some of it.
            until(lambda: _limit(server) > LOW_LIMIT, FALL_SECONDS)
            proxy.delay(DELAY_SECONDS, SPREAD_SECONDS)
            living.start()
            until(lambda: _limit(server) <= LOW_LIMIT, FALL_SECONDS)
            suggesting.start()
            searching.start()
            until(lambda: len(suggesting.answers) >= OBSERVED, FALL_SECONDS * times(1, 20))
            suggested, searched, lived = suggesting.stop(), searching.stop(), living.stop()
            proxy.delay(0, 0)
            recovery = until(lambda: _suggests(server, user, about), RECOVERY_SECONDS)
        check(server.url, writers, victim, [server.log])
    shed = [outcome in SHED for outcome, _ in suggested]
    assert sum(shed) >= 0.8 * len(shed)
    # It may wait too long for the database, but is not turned away.
    assert not {outcome for outcome, _ in searched} & SHED
    assert {outcome for outcome, _ in lived} == {""}
    assert sorted(seconds for _, seconds in lived)[int(0.99 * len(lived))] <= LIVE_SECONDS
    assert writers.attempts_that_failed <= FEW * len(writers.entries)
    writers.report("6 database slow", len(shed), [recovery])


def _limit(server: FaultyServer) -> float:
    text = httpx2.get(f"{server.url}/metrics", timeout=30).text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith("concurrency_limit "))


def _suggests(server: FaultyServer, headers: dict[str, str], body: object) -> bool:
    answer = httpx2.post(f"{server.url}/api/v1/memories/suggest", json=body, headers=headers, timeout=30)
    return not _outcome(answer)


def _outcome(answer: httpx2.Response) -> str:
    """Name what was the matter: the code of an error, or that the answer was left empty; nothing if all is well."""
    body = answer.json()
    return (DEGRADED if body.get(DEGRADED) else "") if answer.is_success else body["code"]
