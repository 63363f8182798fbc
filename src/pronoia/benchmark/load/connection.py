"""A kept-alive HTTP connection with next to no cost of its own: whole requests out, one outcome back for each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable


DEGRADED_ANSWER = b'"degraded":true'


class Connection(asyncio.Protocol):
    """Sends one request at a time and reports how it ended: its status, or 0 where the connection broke.

    The report also says whether the answer was the cheaper one of a server with too much to do.
    """

    def __init__(self, ended: Callable[[Connection, int, bool], None]) -> None:
        self._ended = ended
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting = False
        self._degraded = False

    @property
    def usable(self) -> bool:
        """Whether it can take the next request."""
        return self._transport is not None and not self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it

    def send(self, request: bytes) -> None:
        """Send a request. The connection must be usable."""
        self._waiting = True
        self._degraded = False
        if self._transport is not None:
            self._transport.write(request)

    def close(self) -> None:
        """Hang up at once, without a report."""
        self._waiting = False
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.abort()

    def on_body(self, body: bytes) -> None:
        """Look at a part of an answer; called by the parser."""
        self._degraded = self._degraded or DEGRADED_ANSWER in body

    def on_message_complete(self) -> None:
        """End the request; called by the parser."""
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive() and self._transport is not None:
            self._transport.close()
            self._transport = None
        self._report(status)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the request that was under way, if any."""
        del exc
        self._transport = None
        self._report(0)

    def _report(self, status: int) -> None:
        if self._waiting:
            self._waiting = False
            self._ended(self, status, self._degraded)
