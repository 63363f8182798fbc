"""An HTTP client with next to no cost of its own: one connection, one request at a time, raw bytes."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter
from typing import Self


class Connection:
    """A kept-alive connection. Raises RuntimeError for an answer that is no success."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    def request(self, method: str, path: str, body: object = None, user: str = "bench") -> bytes:
        """Write a request once, to be sent many times."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nX-Service-Token: {self._key}\r\nX-User-ID: {user}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    async def send(self, request: bytes) -> bytes:
        """Send a request and give the body of its answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if status >= 300:  # noqa: PLR2004  # the first that is no success
            raise RuntimeError(f"{status}: {body[:500]!r}")
        return body

    async def timed(self, request: bytes) -> float:
        """Give the seconds that a request took."""
        started = perf_counter()
        await self.send(request)
        return perf_counter() - started
