"""A kept-alive HTTP connection with next to no cost of its own: whole requests out, one status back for each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable


class Connection(asyncio.Protocol):
    """Sends one request at a time and reports how it ended: its status, or 0 where the connection broke."""

    def __init__(self, ended: Callable[[Connection, int], None]) -> None:
        self._ended = ended
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting = False

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
            self._ended(self, status)
