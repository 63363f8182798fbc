from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import RunningServer

API = "/api/v1"


class Caller(httpx2.Client):
    """Speaks to the real server as one user, by a service key."""

    user: str

    def __init__(self, server: RunningServer, user: str) -> None:
        super().__init__(
            base_url=server.url, headers={"X-Service-Token": server.service_key, "X-User-ID": user}, timeout=30
        )
        self.user = user

    def remember(self, text: str, **fields: Any) -> dict[str, Any]:
        return self.given_created("/memories", json={"text": text, **fields})

    def given_created(self, path: str, **request: Any) -> dict[str, Any]:
        """Give the body of an answer that must be 201."""
        answer = self.post(API + path, **request)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def given(self, method: str, path: str, **request: Any) -> Any:
        """Give the body of an answer that must be 200."""
        answer = self.request(method, API + path, **request)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def calling(server: RunningServer, user: str) -> Iterator[Caller]:
    with Caller(server, user) as caller:
        yield caller


@pytest.fixture
def caller(server: RunningServer) -> Iterator[Caller]:
    """Give a user without memories."""
    with calling(server, f"user-{uuid4().hex}") as caller:
        yield caller


@pytest.fixture
def stranger(server: RunningServer) -> Iterator[Caller]:
    """Give another user of the same organisation."""
    with calling(server, f"stranger-{uuid4().hex}") as caller:
        yield caller


@pytest.fixture
def anonymous(server: RunningServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=30) as http:
        yield http


@pytest.fixture
def refused() -> Callable[..., dict[str, Any]]:
    """Give the check of an error answer: its status, its code, both its shapes, and its details."""

    def check(answer: httpx2.Response, status: int, code: str, **details: object) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        body = answer.json()
        assert body["code"] == code
        assert body["requestId"] == answer.headers["X-Request-ID"]
        assert body["message"]
        assert body["timestamp"].endswith("Z")
        if isinstance(body["error"], dict):
            assert {name: body[name] for name in body["error"]} == body["error"]
        else:
            assert body["error"] == answer.reason_phrase
        assert {name: body.get("details", {}).get(name) for name in details} == details
        assert "Traceback" not in answer.text
        return body

    return check
