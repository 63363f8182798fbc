"""A real HTTP server that takes alerts, or does not, as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class ReceivingServer:
    answer: bytes = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
    bodies: list[object] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    silent: bool = False

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self):
        self._server.close()
        for writer in self.connections.values():
            writer.close()
        await asyncio.gather(*self.connections)

    async def _serve(self, reader, writer):
        self.connections[asyncio.current_task()] = writer
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers["content-length"]))
                self.paths.append(head[0].split()[1])
                self.bodies.append(json.loads(body))
                if not self.silent:
                    writer.write(self.answer)
                    await writer.drain()
        writer.close()
