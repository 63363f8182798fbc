"""What every client of a fault test writes down, and what must be true of it afterwards."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import httpx2
from fault_server import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fault_server import OwnPostgres

BATCH = 3
ANSWER_SECONDS = 30.0
RETRY_SECONDS = 0.05
SETTLE_SECONDS = 30.0
RETRIED = frozenset({429, 500, 502, 503, 504, 507})
"""Answers that leave it open whether the write was done."""


class Outcome(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"


@dataclass
class Entry:
    """One write: what was asked, how often, and what the server acknowledged."""

    key: str
    user: str
    path: str
    body: dict[str, object]
    texts: list[str]
    sent_at: float = 0.0
    attempts: int = 0
    statuses: list[int] = field(default_factory=list)
    """Of each attempt; 0 where the connection broke."""
    ids: list[str] = field(default_factory=list)
    acknowledged_at: float = 0.0

    @property
    def outcome(self) -> Outcome:
        return Outcome.ACKNOWLEDGED if self.ids else Outcome.UNKNOWN

    def line(self) -> str:
        """Write it for the ledger's file: what was said only as its hash."""
        return json.dumps(
            {
                "key": self.key,
                "user": self.user,
                "body": hashlib.sha256(json.dumps(self.body).encode()).hexdigest(),
                "sent": self.sent_at,
                "attempts": self.attempts,
                "statuses": self.statuses,
                "outcome": self.outcome,
                "ids": self.ids,
            }
        )


class Writer(threading.Thread):
    """Writes for one user until it is stopped. What may or may not have been done is sent again with its key.

    Every text carries the user's canary, which no answer to another user may hold.
    """

    def __init__(self, urls: Sequence[str], key: str, seed: int) -> None:
        super().__init__(name=f"writer-{seed}")
        self.user = f"user-{uuid4().hex}"
        self.canary = f"canary{uuid4().hex}"
        self.key = key
        self.ledger: list[Entry] = []
        self.failure: Exception | None = None
        self.stopping = threading.Event()
        self.acknowledged = threading.Semaphore(0)
        self.version = 0
        """Of the user's memory when it last acknowledged a write: what is read must be as new."""
        self._urls = urls
        self._random = random.Random(seed)  # noqa: S311 - a schedule of writes

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key, "X-User-ID": self.user, "X-Memory-Version": str(self.version)}

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                entry = self.next_entry()
                self.ledger.append(entry)
                self.send(entry)
        except Exception as error:  # noqa: BLE001 - the test raises it
            self.failure = error

    def next_entry(self) -> Entry:
        """Write a memory, or sometimes a few at once."""
        texts = [f"{self.canary} wrote {uuid4().hex}" for _ in range(self._random.choice((1, 1, BATCH)))]
        if len(texts) == 1:
            return Entry(uuid4().hex, self.user, "/api/v1/memories", {"text": texts[0]}, texts)
        body = {"memories": [{"text": text} for text in texts]}
        return Entry(uuid4().hex, self.user, "/api/v1/memories/batch", body, texts)

    def send(self, entry: Entry) -> None:
        """Send until it is acknowledged, or for ever after the test has been stopped."""
        headers = {**self.headers, "Idempotency-Key": entry.key}
        entry.sent_at = time.time()
        while entry.outcome is not Outcome.ACKNOWLEDGED and not (self.stopping.is_set() and entry.attempts):
            entry.attempts += 1
            try:
                # A connection of its own, so that none is left over from a dead process.
                url = self._random.choice(self._urls) + entry.path
                answer = httpx2.post(url, json=entry.body, headers=headers, timeout=ANSWER_SECONDS)
            except httpx2.TransportError:
                entry.statuses.append(0)
                continue
            entry.statuses.append(answer.status_code)
            if answer.status_code in RETRIED:
                self.stopping.wait(RETRY_SECONDS)
                continue
            assert answer.status_code == 201, answer.text
            entry.ids = [memory["id"] for memory in answer.json().get("memories", [answer.json()])]
            self.version = max(self.version, int(answer.headers["X-Memory-Version"]))
            entry.acknowledged_at = time.monotonic()
            self.acknowledged.release()


class Writers:
    """Several writers, each of an organisation of its own, beside whatever is done to the server."""

    def __init__(self, urls: Sequence[str], keys: Sequence[str], seed: int, kind: type[Writer] = Writer) -> None:
        print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
        self.writers = [kind(urls, key, seed + number) for number, key in enumerate(keys)]

    def __enter__(self) -> Self:
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self.writers:
            writer.stopping.set()
        for writer in self.writers:
            writer.join(2 * ANSWER_SECONDS)
            assert not writer.is_alive()

    def await_acknowledgements(self, seconds: float) -> float:
        """Wait until each writer has been acknowledged something from now on, and give how long that took."""
        started = time.monotonic()
        for writer in self.writers:
            while writer.acknowledged.acquire(blocking=False):
                pass
        for writer in self.writers:
            left = seconds - (time.monotonic() - started)
            assert writer.acknowledged.acquire(timeout=max(0.0, left)), f"no write was acknowledged in {seconds} s"
        return time.monotonic() - started

    def report(self, name: str, faults: int, recoveries: Sequence[float] = ()) -> None:
        """Print a row of the suite's table, once `check` has held; pytest shows it with -s."""
        recovery = f"recovered in at most {max(recoveries):.1f} s" if recoveries else "answered at once"
        print(  # noqa: T201 - the same
            f"| {name} | {faults} faults | {len(self.entries)} writes | {self.attempts_that_failed} attempts failed "
            f"| 0 lost | 0 twice | {recovery} |"
        )

    @property
    def entries(self) -> list[Entry]:
        return [entry for writer in self.writers for entry in writer.ledger]

    @property
    def attempts_that_failed(self) -> int:
        return sum(entry.attempts - (entry.outcome is Outcome.ACKNOWLEDGED) for entry in self.entries)


def check(url: str, writers: Writers, database: OwnPostgres | None, logs: Sequence[Path] = ()) -> None:
    """Hold the server to the ledger: nothing acknowledged is lost, nothing is done twice, nobody sees another's.

    Writes whose outcome stayed unknown are there as a whole or not at all. With the database at hand, all that was
    stored has its vector in the end, and no connection was left in a transaction.
    """
    failures = [writer.failure for writer in writers.writers if writer.failure is not None]
    assert not failures, failures
    for writer in writers.writers:
        _check_memories(stored(url, writer.headers), writer.ledger)
        _check_canaries(url, writer, [other.canary for other in writers.writers if other is not writer])
    if database is not None:
        database.end_leases()
        until(lambda: not database.query("select from work limit 1"), SETTLE_SECONDS)
        assert not database.query("select from memories where embedding is null")
        idle = (
            "select from pg_stat_activity where state = 'idle in transaction' and state_change < now() - interval '1 s'"
        )
        assert not database.query(idle)
    secrets = [secret for writer in writers.writers for secret in (writer.canary, writer.key)]
    for log in logs:
        text = log.read_text()
        assert not [secret for secret in secrets if secret in text], f"a secret is in {log}"


def _check_memories(there: dict[str, list[str]], ledger: list[Entry]) -> None:
    acknowledged = {
        text: [memory_id]
        for entry in ledger
        if entry.outcome is Outcome.ACKNOWLEDGED
        for text, memory_id in zip(entry.texts, entry.ids, strict=True)
    }
    assert {text: there.get(text) for text in acknowledged} == acknowledged, "lost, changed or done twice"
    unknown = [entry.texts for entry in ledger if entry.outcome is Outcome.UNKNOWN]
    for texts in unknown:
        assert [len(there.get(text, ())) for text in texts] in ([0] * len(texts), [1] * len(texts)), "done in part"
    assert there.keys() <= acknowledged.keys() | {text for texts in unknown for text in texts}


def _check_canaries(url: str, writer: Writer, foreign: list[str]) -> None:
    body = {"query": foreign[0] if foreign else writer.canary, "limit": 20}
    answer = httpx2.post(f"{url}/api/v1/memories/search", json=body, headers=writer.headers, timeout=ANSWER_SECONDS)
    assert answer.status_code == 200, answer.text
    found = [memory["text"] for memory in answer.json()["memories"]]
    assert not [canary for canary in foreign for text in found if canary in text], "another's memory was shown"
    if writer.ledger and writer.ledger[0].outcome is Outcome.ACKNOWLEDGED:
        body = {"query": writer.ledger[0].texts[0], "limit": 5}
        answer = httpx2.post(f"{url}/api/v1/memories/search", json=body, headers=writer.headers, timeout=ANSWER_SECONDS)
        assert writer.ledger[0].texts[0] in [memory["text"] for memory in answer.json()["memories"]]


def stored(url: str, headers: dict[str, str]) -> dict[str, list[str]]:
    """Give the ids of every text that is there, page by page."""
    found: dict[str, list[str]] = {}
    cursor: str | None = ""
    with httpx2.Client(base_url=url, headers=headers, timeout=ANSWER_SECONDS) as http:
        while cursor is not None:
            page = http.get("/api/v1/memories", params={"limit": 1000, "cursor": cursor}).json()
            for memory in page["memories"]:
                found.setdefault(memory["text"], []).append(memory["id"])
            cursor = page["next_cursor"]
    return found
