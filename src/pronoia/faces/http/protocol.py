"""HTTP/1.1 as uvicorn speaks it, for clients who send too slowly, too much, or nothing at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pronoia.domain.errors import OverloadedError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from pronoia.faces.http.watch import Exchange

HEAD_SECONDS = 10.0
"""From a connection's start, or the first byte of a request on it, to the end of the request's head."""
MAXIMUM_HEAD_BYTES = 65_536
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
REST_SECONDS = 1.0
"""How long nothing more is read from a connection on which a request was turned away: as long as Retry-After says."""
HAS_HUNG_UP = "has_hung_up"
IS_FIRST = "is_first"


def has_hung_up(scope: Mapping[str, Any]) -> bool:
    """Say whether nobody is at the other end any more, as far as the loop has seen; False where it is not known."""
    known: Callable[[], bool] = scope.get("state", {}).get(HAS_HUNG_UP, bool)
    return known()


def is_first(scope: Mapping[str, Any]) -> bool:
    """Say whether a request is the first of its connection; False where it is not known."""
    return scope.get("state", {}).get(IS_FIRST, False)


class BoundedProtocol(HttpToolsProtocol):
    """Bounds the head of a request in time and size; uvicorn waits for it, and keeps it, without an end.

    Who asks again at once after being turned away waits unread, so that refusing does not take the time that serving
    needs. The body is bounded by the application (see middleware), an idle connection by uvicorn's keep-alive timeout.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _in_head = True
    _head_bytes = 0
    _is_new = True

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Expect a request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on. A head that arrives whole, as nearly all do, needs no timer."""
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head:
            self._head_bytes = 0
        elif self._head_bytes > MAXIMUM_HEAD_BYTES:
            self._refuse(TOO_LARGE)
        elif self._head_timer is None:
            self._await_head()

    def on_message_begin(self) -> None:
        """Enter a head; called by the parser."""
        self._in_head = True
        super().on_message_begin()
        state = self.scope.setdefault("state", {})
        state[HAS_HUNG_UP] = self.transport.is_closing
        state[IS_FIRST], self._is_new = self._is_new, False

    def on_headers_complete(self) -> None:
        """Leave the head; called by the parser."""
        self._end_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Let a client who was turned away wait; called when an answer is written."""
        exchange: Exchange | None = self.cycle.scope.setdefault("state", {}).get("exchange")
        super().on_response_complete()
        if exchange is not None and exchange.error_code == OverloadedError.code and not self.pipeline:
            self.flow.pause_reading()
            self.loop.call_later(REST_SECONDS, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        self._refuse(TOO_SLOW)

    def _refuse(self, answer: bytes) -> None:
        """Say why and hang up, unless an earlier request on the connection is still being answered."""
        if self.transport.is_closing():
            return
        if self.cycle and not self.cycle.response_complete:
            self.transport.abort()
            return
        self.transport.write(answer)
        self.transport.close()
