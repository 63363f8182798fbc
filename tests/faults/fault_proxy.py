"""A TCP proxy in front of PostgreSQL that delays, says nothing, hangs up, or loses the answer to what it forwarded."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNK = 65_536
START_SECONDS = 10
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER without a wait: closing sends RST, as a connection does whose other end has crashed."""


class FaultProxy:
    """Forwards to a socket file. Its switches may be thrown by any thread; it runs in one of its own."""

    def __init__(self, upstream: Path, seed: int) -> None:
        self.faults = 0
        """How many connections were reset or lost an answer."""
        self._upstream = upstream
        self._random = random.Random(seed)  # noqa: S311 - a schedule of delays
        self._delay = (0.0, 0.0)
        self._lost: tuple[bytes, ...] = ()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop: asyncio.AbstractEventLoop
        self._open: asyncio.Event
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[FaultProxy]:
        """Listen on a free port of 127.0.0.1."""
        ready, done = threading.Event(), threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._run(ready, done)), name="fault-proxy")
        thread.start()
        try:
            assert ready.wait(START_SECONDS)
            yield self
        finally:
            done.set()
            self._loop.call_soon_threadsafe(self._open.set)
            thread.join(START_SECONDS)

    def delay(self, seconds: float, spread: float) -> None:
        """Hold what is sent either way for so long, give or take the spread."""
        self._delay = (max(0.0, seconds - spread), seconds + spread)

    def fall_silent(self) -> None:
        """Take connections and bytes, and pass nothing on until `speak`: no end that could be noticed."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def speak(self) -> None:
        """Pass on again, beginning with what was held back."""
        self._loop.call_soon_threadsafe(self._open.set)

    def lose_answer_to(self, *patterns: bytes) -> None:
        """Reset, once, instead of passing on what PostgreSQL answers to the last of the patterns.

        They have to pass in this order on one connection; what holds the last of them is still forwarded.
        """
        self._lost = patterns

    def reset_connections(self) -> None:
        """Reset all that are open."""
        self._call(self._reset_all)

    def _call(self, function: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            function()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(START_SECONDS)

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            self._reset(writer)

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self.faults += 1
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()

    async def _run(self, ready: threading.Event, done: threading.Event) -> None:
        self._loop, self._open = asyncio.get_running_loop(), asyncio.Event()
        self._open.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await asyncio.to_thread(done.wait)
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._upstream)
        except OSError:
            self._reset(writer)
            return
        self._writers.add(writer)
        lost = asyncio.Event()
        pumps = [
            asyncio.create_task(self._ask(reader, upstream_writer, lost)),
            asyncio.create_task(self._answer(upstream_reader, writer, lost)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._writers.discard(writer)
            upstream_writer.close()
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        seen = 0
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self._hold()
                while seen < len(self._lost) and self._lost[seen] in data:
                    seen += 1
                if self._lost and seen == len(self._lost):
                    self._lost, seen = (), 0
                    lost.set()
                upstream.write(data)

    async def _answer(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while data := await upstream.read(CHUNK):
                if lost.is_set():
                    self._reset(writer)
                    return
                await self._hold()
                writer.write(data)

    async def _hold(self) -> None:
        await self._open.wait()
        if self._delay[1]:
            await asyncio.sleep(self._random.uniform(*self._delay))
