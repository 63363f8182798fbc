"""What attackers send, and a client that sends it as it is."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from litestar.types import ASGIApp

SQL = (
    "'; drop table memories; --",
    "' or '1'='1",
    "1) union select secret_hash::text from api_keys --",
    "$$; select pg_sleep(5); $$",
    "\\'; set app.tenant = ''; --",
    "x' || (select current_setting('app.tenant')) || '",
    "%' escape '!' or true --",
    "a' | b & !c:* <-> (d",
    ":*&|!()<->'''",
)
ODD = "It's \"odd\"; (really) -- isn't it?"
"""A harmless text with the same characters."""
REFUSED_TEXTS = {"NUL": "a\0b", "lone surrogate": "a\ud800b", "low surrogate first": "\udc00\ud800"}
LONG_TEXTS = {
    "one letter": "a" * 9_999 + "!",
    "brackets": "(" * 9_999,
    "spaces": "a" + " " * 9_997 + "b",
    "addresses": "a@" * 4_999,
    "numbers": "1." * 4_999,
    "combining marks": "e" + "\u0301" * 9_000,
    "one word each": "a b " * 2_499,
    "directions": "\u202e\u2066" * 4_000,
}
"""Within the limit of a text, and what makes expressions go back and forth."""
DEPTH = 10_000


def raw_bodies(valid: Mapping[str, Any]) -> dict[str, bytes]:
    """Give bodies that no route may take, made from one that it takes."""
    inside = json.dumps(dict(valid))[1:-1]
    before = inside + ", " if inside else ""
    return {
        "NaN": f'{{{before}"x": NaN}}'.encode(),
        "Infinity": f'{{{before}"x": -Infinity}}'.encode(),
        "10,000 brackets": f'{{{before}"x": {"[" * DEPTH}{"]" * DEPTH}}}'.encode(),
        "10,000 braces": f'{{{before}"x": '.encode() + b'{"a":' * DEPTH + b"1" + b"}" * (DEPTH + 1),
        "only brackets": b"[" * DEPTH,
        "cut off": f"{{{before}".encode(),
        "a list": b"[]",
        "a number": b"1e5",
        "UTF-16": json.dumps(dict(valid)).encode("utf-16"),
        "two objects": json.dumps(dict(valid)).encode() * 2,
        "gzip": gzip.compress(json.dumps(dict(valid)).encode()),
    }


@dataclass(frozen=True)
class Told:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    chunks: Sequence[bytes] = (b"",),
    *,
    query: bytes = b"",
    headers: Mapping[str, str],
) -> Told:
    """Send bytes that no client would."""
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="surrogatepass"),
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("server", 80),
    }
    waiting = list(chunks)
    sent: list[Any] = []
    complete = asyncio.Event()

    async def receive() -> Any:
        if not waiting:
            # The client stays until it has the whole answer.
            await complete.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            complete.set()

    await app(scope, receive, send)
    body = b"".join(one.get("body", b"") for one in sent[1:])
    return Told(sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}, body)


STEPS = 1_000_000


@dataclass
class LoopWatch:
    reference: float
    """Seconds of processor time that a million steps of a loop took, just before: how fast this machine is now."""
    longest: float = 0.0
    """Seconds of processor time that one turn of the event loop took."""

    @property
    def relative(self) -> float:
        """The longest turn, in millions of steps."""
        return self.longest / self.reference


@contextmanager
def watching(loop: asyncio.AbstractEventLoop) -> Iterator[LoopWatch]:
    """Time every turn by the processor, not by the clock: the machine may have other things to do.

    Garbage is collected as in the server: what was there before is not looked through, here all other tests' modules.
    """
    watch = LoopWatch(_reference())
    gc.freeze()
    last = time.thread_time()
    going = True

    def turn() -> None:
        nonlocal last
        now = time.thread_time()
        watch.longest = max(watch.longest, now - last)
        last = now
        if going:
            loop.call_soon(turn)

    loop.call_soon(turn)
    try:
        yield watch
    finally:
        going = False
        gc.unfreeze()


def _reference() -> float:
    started = time.thread_time()
    for _ in range(STEPS):
        pass
    return time.thread_time() - started
