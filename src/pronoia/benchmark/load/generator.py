"""The open model: a request is due when its time has come, however many are still unanswered.

A closed loop, which waits for an answer before it asks again, would slow down with the server and hide what its users
wait for (coordinated omission).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING

from pronoia.benchmark.load.connection import Connection
from pronoia.benchmark.load.recorder import BROKEN, DEGRADED, TIMED_OUT, UNSENT, Recorder, reason_of
from pronoia.benchmark.load.schedule import due_times, total_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pronoia.benchmark.load.mix import Mix, Verb
    from pronoia.benchmark.load.schedule import Stage

TICK_SECONDS = 0.05
"""How often requests are looked at that take too long."""
SHORTEST_SLEEP_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the clients behave."""

    patience_seconds: float = 10.0
    """How long an attempt may take, the first from its intended start."""
    retries: int = 0
    """How often a failed request is sent again, at once: what makes an overload a storm."""
    connections: int = 1_000
    """Most connections at a time; a request that finds none free waits for one."""


@dataclass(slots=True, eq=False)
class _Request:
    verb: Verb
    content: bytes
    offset: float
    due: float
    attempted_at: float
    retries: int
    connection: Connection | None = None
    done: bool = False


class Generator:
    """Sends a mix of requests to one server and records what comes back.

    The time is not the event loop's, which uvloop rounds to milliseconds.
    """

    def __init__(self, host: str, port: int, mix: Mix, behaviour: Behaviour) -> None:
        self._address = (host, port)
        self._mix = mix
        self._behaviour = behaviour
        self._recorder = Recorder()
        self._idle: list[Connection] = []
        self._under_way: dict[Connection, _Request] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Request] = deque()
        self._unfinished: deque[_Request] = deque()

    async def run(self, stages: Sequence[Stage], each_second: Callable[[int, Recorder], None]) -> Recorder:
        """Send what the stages ask for, wait for the last answers, and give the record of this run alone."""
        self._recorder = Recorder()
        start = perf_counter()
        watch = asyncio.create_task(self._watch(start, each_second))
        try:
            for offset in due_times(stages):
                while (ahead := start + offset - perf_counter()) > 0:  # noqa: ASYNC110 - time is the event
                    await asyncio.sleep(max(ahead, SHORTEST_SLEEP_SECONDS))
                self._begin(offset, start + offset, perf_counter())
            await asyncio.sleep(max(0.0, start + total_seconds(stages) - perf_counter()))
            while self._unfinished:  # noqa: ASYNC110 - the watch takes out what is done
                await asyncio.sleep(TICK_SECONDS)
        finally:
            watch.cancel()
        return self._recorder

    async def close(self) -> None:
        """Hang up."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in (*self._idle, *self._under_way):
            connection.close()

    def _begin(self, offset: float, due: float, now: float) -> None:
        verb, content = self._mix.draw()
        request = _Request(verb, content, offset, due, due, self._behaviour.retries)
        self._recorder.due(offset, now - due)
        self._unfinished.append(request)
        self._hand_on(request)

    def _hand_on(self, request: _Request) -> None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                self._send(connection, request)
                return
        self._waiting.append(request)
        self._open_another()

    def _open_another(self) -> None:
        if self._waiting and len(self._under_way) + len(self._opening) < self._behaviour.connections:
            task = asyncio.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._behaviour.patience_seconds):
                _, connection = await loop.create_connection(lambda: Connection(self._ended), *self._address)
        except OSError as error:
            if (request := self._next_waiting()) is not None:
                self._fail(request, TIMED_OUT if isinstance(error, TimeoutError) else BROKEN)
        else:
            self._free(connection)

    def _send(self, connection: Connection, request: _Request) -> None:
        request.connection = connection
        self._under_way[connection] = request
        connection.send(request.content)

    def _free(self, connection: Connection) -> None:
        request = self._next_waiting()
        if request is None:
            self._idle.append(connection)
        else:
            self._send(connection, request)

    def _next_waiting(self) -> _Request | None:
        while self._waiting:
            request = self._waiting.popleft()
            if not request.done:
                return request
        return None

    def _ended(self, connection: Connection, status: int, degraded: bool) -> None:
        request = self._under_way.pop(connection)
        request.connection = None
        if degraded:  # nobody asks again for what was answered, but it is not what was asked for
            request.done = True
            self._recorder.failed(request.verb, request.offset, DEGRADED)
        elif HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            request.done = True
            latency = perf_counter() - request.due
            self._recorder.answered(request.verb, request.offset, latency)
        else:
            self._fail(request, reason_of(status))
        if connection.usable:
            self._free(connection)
        else:
            self._open_another()

    def _fail(self, request: _Request, reason: str) -> None:
        if request.retries > 0:
            request.retries -= 1
            self._recorder.retried(request.offset)
            self._hand_on(request)
        else:
            request.done = True
            self._recorder.failed(request.verb, request.offset, reason)

    async def _watch(self, start: float, each_second: Callable[[int, Recorder], None]) -> None:
        """Give up what takes too long, and tell of every second that has passed."""
        second = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = perf_counter()
            while self._unfinished and (self._unfinished[0].done or self._is_late(self._unfinished[0], now)):
                self._give_up(self._unfinished.popleft(), now)
            while now - start >= second + 1:
                each_second(second, self._recorder)
                second += 1

    def _is_late(self, request: _Request, now: float) -> bool:
        return now - request.attempted_at > self._behaviour.patience_seconds

    def _give_up(self, request: _Request, now: float) -> None:
        if request.done:
            return
        connection, request.connection = request.connection, None
        if connection is None:
            request.done = True
            self._recorder.failed(request.verb, request.offset, UNSENT)
            return
        del self._under_way[connection]
        connection.close()
        if request.retries > 0:
            request.attempted_at = now
            self._unfinished.append(request)
        self._fail(request, TIMED_OUT)
