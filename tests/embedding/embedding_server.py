"""A real HTTP server on a free port that embeds honestly, or lies as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pronoia.testing.embedder import HashingEmbedder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DIMENSIONS = 8
KEY = "sk-very-secret"


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, object]


@dataclass
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    media_type: str = "application/json"

    def encoded(self) -> bytes:
        headers = {"Content-Type": self.media_type, "Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Status", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def honest_items(received: Received) -> list[dict[str, object]]:
    embedder = HashingEmbedder(DIMENSIONS)
    return [
        {"object": "embedding", "index": index, "embedding": embedder._embed(text).tolist()}
        for index, text in enumerate(received.body["input"])
    ]


def answer(items: list[dict[str, object]]) -> Reply:
    return Reply(body=json.dumps({"object": "list", "data": items}).encode())


def answer_with(change: Callable[[list[dict[str, object]]], object]) -> Callable[[Received], Reply]:
    """Answer honestly, but for one change to the items."""

    def reply(received: Received) -> Reply:
        items = honest_items(received)
        change(items)
        return answer(items)

    return reply


class EmbeddingServer:
    def __init__(self) -> None:
        self.received: list[Received] = []
        self.replies: list[Callable[[Received], Reply]] = []
        self.instead: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
        """What to do with the connection instead of replying."""
        self._connections: set[asyncio.Task[None]] = set()
        self.busy = 0
        self.busiest = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(asyncio.current_task())
        try:
            while True:
                await self._serve_one(await self._receive(reader), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> Received:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        return Received(head[0].split()[1], headers, json.loads(body))

    async def _serve_one(self, received: Received, writer: asyncio.StreamWriter) -> None:
        self.received.append(received)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0)
        try:
            if self.instead is not None:
                await self.instead(writer)
                return
            reply = self.replies.pop(0) if self.replies else answer_with(lambda items: items)
            writer.write(reply(received).encoded())
            await writer.drain()
        finally:
            self.busy -= 1
