"""An embedding provider that answers honestly until it is told to lie."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from pronoia.testing.embedder import HashingEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIMENSIONS = 8
HUGE_BYTES = 100_000_000
LATE_LIE = "late lie"
Items = list[dict[str, object]]


class LyingEmbedder(ThreadingHTTPServer):
    """Serves `POST /v1/embeddings`. `mode` names the lie, "" the truth."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode = ""
        self.hangs = threading.Event()
        """Set while a request waits for the late lie."""
        self.released = threading.Event()
        """Ends what hangs and drips."""

    @contextmanager
    def running(self) -> Iterator[LyingEmbedder]:
        thread = threading.Thread(target=self.serve_forever, name="lying-embedder")
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self.shutdown()
            self.server_close()
            thread.join()

    @property
    def settings(self) -> dict[str, str]:
        """Give what makes a server ask here, and not wait long."""
        return {
            "PRONOIA_EMBEDDING_BREAKER_SECONDS": "2",
            "PRONOIA_EMBEDDING_URL": f"http://127.0.0.1:{self.server_port}/v1",
            "PRONOIA_EMBEDDING_MODEL": "liar",
            "PRONOIA_EMBEDDING_DIMENSIONS": str(DIMENSIONS),
            "PRONOIA_EMBEDDING_TIMEOUT_SECONDS": "0.5",
        }


def honest(texts: list[str]) -> Items:
    embedder = HashingEmbedder(DIMENSIONS)
    return [{"index": place, "embedding": embedder._embed(text).tolist()} for place, text in enumerate(texts)]


class _Handler(BaseHTTPRequestHandler):
    server: LyingEmbedder
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the name is http.server's
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        mode = self.server.mode
        with suppress(ConnectionError):
            LIES.get(mode, _truth)(self, honest(texts))
            if mode:
                self.close_connection = True

    def reply(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _truth(handler: _Handler, items: Items) -> None:
    handler.reply(json.dumps({"data": items}).encode())


def _hang(handler: _Handler, _: Items) -> None:
    handler.server.released.wait()


def _late_lie(handler: _Handler, items: Items) -> None:
    """Answer with the vector of something else, when nobody waits for it any more."""
    handler.server.hangs.set()
    handler.server.released.wait()
    _truth(handler, [{**item, "embedding": [0.0] * (DIMENSIONS - 1) + [1.0]} for item in items])


def _drip(handler: _Handler, items: Items) -> None:
    body = json.dumps({"data": items}).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for byte in body:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        if handler.server.released.wait(0.1):
            return


def _huge(handler: _Handler, _: Items) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(HUGE_BYTES))
    handler.end_headers()
    for _ in range(HUGE_BYTES // 65_536):
        handler.wfile.write(b" " * 65_536)


def _changed(change: Callable[[Items], object]) -> Callable[[_Handler, Items], None]:
    def lie(handler: _Handler, items: Items) -> None:
        change(items)
        _truth(handler, items)

    return lie


LIES: dict[str, Callable[[_Handler, Items], None]] = {
    "500": lambda handler, _: handler.reply(b"{}", 500),
    "429": lambda handler, _: handler.reply(b"{}", 429, **{"Retry-After": "3600"}),
    "hang": _hang,
    "drip": _drip,
    "100 MB": _huge,
    "HTML": lambda handler, _: handler.reply(b"<html>Sign in</html>", kind="text/html"),
    "wrong dimension": _changed(lambda items: [item.update(embedding=[1.0]) for item in items]),
    "NaN": _changed(lambda items: [item.update(embedding=[float("nan")] * DIMENSIONS) for item in items]),
    "redirect": lambda handler, _: handler.reply(b"", 307, Location="http://127.0.0.1:9/"),
    "duplicate index": _changed(lambda items: items.append(items[0])),
    LATE_LIE: _late_lie,
}
