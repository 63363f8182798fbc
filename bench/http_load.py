"""Load over kept-alive connections, written as bytes beforehand, so that the generator is not what is measured."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Client:
    """Connections to one server."""

    connections: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]]

    async def one(self, request: bytes) -> float:
        """Send one request and give the seconds until its answer was read."""
        begun = time.perf_counter()
        await _exchange(self.connections[0], request)
        return time.perf_counter() - begun

    async def closed_loop(self, requests: Iterable[bytes]) -> float:
        """Send all requests, each connection its next when the last is answered; give the seconds they took."""
        waiting = iter(requests)

        async def work(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
            for request in waiting:
                await _exchange(connection, request)

        begun = time.perf_counter()
        await asyncio.gather(*(work(connection) for connection in self.connections))
        return time.perf_counter() - begun

    async def open_loop(self, requests: Sequence[bytes], *, per_second: float) -> list[float]:
        """Send requests when they are due, however slow the answers; give the seconds from then to each answer."""
        idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        for connection in self.connections:
            idle.put_nowait(connection)
        begun = time.perf_counter()

        async def send(place: int, request: bytes) -> float:
            connection = await idle.get()
            await _exchange(connection, request)
            idle.put_nowait(connection)
            return time.perf_counter() - begun - place / per_second

        sent: list[asyncio.Task[float]] = []
        for place, request in enumerate(requests):
            await asyncio.sleep(begun + place / per_second - time.perf_counter())
            sent.append(asyncio.create_task(send(place, request)))
        return await asyncio.gather(*sent)


@asynccontextmanager
async def connected(port: int, connections: int) -> AsyncGenerator[Client]:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    try:
        yield Client(opened)
    finally:
        for _, writer in opened:
            writer.close()


def request(path: str, body: object, *, key: str = "", user: str = "") -> bytes:
    """Write a POST request."""
    content = msgspec.json.encode(body)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-API-Key: {key}\r\nX-User-ID: {user}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _exchange(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], sent: bytes) -> None:
    reader, writer = connection
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, after = head.partition(b"content-length: ")
    content = await reader.readexactly(int(after.partition(b"\r")[0]))
    if not head.startswith(b"HTTP/1.1 20"):
        raise RuntimeError(f"The server refused: {content[:500]!r}")
