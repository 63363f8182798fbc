"""Which requests are sent: the traffic of an application that predicts, suggests, searches and looks after itself."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pronoia.benchmark.load.texts import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Verb(StrEnum):
    PREDICT = "predict"
    SUGGEST = "suggest"
    SEARCH = "search"
    MAINTENANCE = "maintenance"
    METRICS = "metrics"


SHARES: Mapping[Verb, int] = {
    Verb.PREDICT: 40,
    Verb.SUGGEST: 30,
    Verb.SEARCH: 20,
    Verb.MAINTENANCE: 5,
    Verb.METRICS: 5,
}
"""Per cent of all requests."""
LINES = {
    Verb.PREDICT: b"POST /api/v1/memories/predict",
    Verb.SUGGEST: b"POST /api/v1/memories/suggest",
    Verb.SEARCH: b"POST /api/v1/memories/search",
    Verb.MAINTENANCE: b"GET /api/v1/learning/maintenance-suggestions",
    Verb.METRICS: b"GET /api/v1/learning/metrics",
}
FIELDS = {Verb.PREDICT: "context", Verb.SUGGEST: "context", Verb.SEARCH: "query"}
"""Where a verb's body says what it is about; the others have none."""


@dataclass(frozen=True, slots=True)
class User:
    """One user of the load, and the key that opens their memory: their own, or one that may name any user."""

    name: str
    key: str


class Mix:
    """Writes request after request, as random as its seed. Each is about one of so many `topics`, stored texts all."""

    def __init__(self, host: str, users: Sequence[User], *, topics: int, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - traffic, not secrets
        self._verbs = [verb for verb, share in SHARES.items() for _ in range(share)]
        self._heads = [_head(host, user) for user in users]
        self._topics = topics

    def draw(self) -> tuple[Verb, bytes]:
        """Give the next request, ready to be sent."""
        chance = self._random.random
        verb = self._verbs[int(chance() * len(self._verbs))]
        head = self._heads[int(chance() * len(self._heads))]
        if verb not in FIELDS:
            return verb, b"%b HTTP/1.1\r\n%b\r\n" % (LINES[verb], head)
        body = b'{"%b": "%b"}' % (FIELDS[verb].encode(), words_of(int(chance() * self._topics)).encode())
        return verb, b"%b HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            LINES[verb],
            head,
            len(body),
            body,
        )


def post(host: str, user: User, path: str, body: object, idempotency_key: str) -> bytes:
    """Write a request that stores something, once however often it is sent."""
    content = json.dumps(body).encode()
    return (
        b"POST %b HTTP/1.1\r\n%bIdempotency-Key: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (
            path.encode(),
            _head(host, user),
            idempotency_key.encode(),
            len(content),
            content,
        )
    )


def _head(host: str, user: User) -> bytes:
    return f"Host: {host}\r\nX-API-Key: {user.key}\r\nX-User-ID: {user.name}\r\n".encode()
