"""The open model against a server whose every answer is known."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pronoia.benchmark.load.generator import Behaviour, Generator
from pronoia.benchmark.load.mix import SHARES, Mix, User, Verb
from pronoia.benchmark.load.recorder import DEGRADED, TIMED_OUT, UNSENT
from pronoia.benchmark.load.schedule import Stage, due_times
from pronoia.benchmark.load.texts import words_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pronoia.benchmark.load.recorder import Recorder

pytestmark = pytest.mark.anyio
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EMPTY = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"degraded":true}'
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def serving(answer: Callable[[int], Awaitable[bytes]]) -> AsyncIterator[int]:
    """Answer each request by its number, and give the port."""
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                requests += 1
                writer.write(await answer(requests))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def at_once(_: int) -> bytes:
    return OK


async def run(port: int, stages: list[Stage], behaviour: Behaviour | None = None) -> Recorder:
    mix = Mix("test", [User("one", "key")], topics=5, seed=1)
    generator = Generator("127.0.0.1", port, mix, behaviour or Behaviour())
    try:
        return await generator.run(stages, lambda _second, _record: None)
    finally:
        await generator.close()


def test_arrivals_are_evenly_spaced_whatever_happened_before() -> None:
    assert list(due_times([Stage(4, 1), Stage(2, 1)])) == [0, 0.25, 0.5, 0.75, 1.0, 1.5]


def test_the_mix_has_the_shares_it_names() -> None:
    mix = Mix("test", [User("one", "key")], topics=5, seed=1)
    drawn = [mix.draw()[0] for _ in range(10_000)]
    for verb, share in SHARES.items():
        assert drawn.count(verb) / 100 == pytest.approx(share, abs=1.5)


async def test_every_request_that_is_due_is_answered() -> None:
    async with serving(at_once) as port:
        record = await run(port, [Stage(200, 0.5)])
    assert record.overall.count == 100
    assert record.failure_count == 0
    assert sum(second.due for second in record.seconds) == 100


async def test_a_stall_counts_for_everybody_who_was_due_in_it() -> None:
    """A closed loop would have asked once, waited, and reported one slow request."""
    resumed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, resumed.set)

    async def answer(_: int) -> bytes:
        await resumed.wait()
        return OK

    async with serving(answer) as port:
        record = await run(port, [Stage(100, 0.5)])
    assert record.overall.count == 50
    assert record.overall.milliseconds(50) > 200
    assert record.overall.milliseconds(99) > 450


async def test_what_finds_no_connection_is_late_or_not_sent_at_all() -> None:
    never = asyncio.Event()

    async def answer(_: int) -> bytes:
        await never.wait()
        return OK

    async with serving(answer) as port:
        record = await run(port, [Stage(20, 0.5)], Behaviour(patience_seconds=0.6, connections=1))
        never.set()
    failures = sum((record.failures[verb] for verb in Verb), start=type(record.failures[Verb.SEARCH])())
    assert failures[TIMED_OUT] >= 1
    assert failures[UNSENT] >= 1
    assert failures.total() == 10


async def test_a_storm_asks_again_before_it_gives_up() -> None:
    async def answer(number: int) -> bytes:
        return OK if number % 3 == 0 else BUSY

    async with serving(answer) as port:
        patient = await run(port, [Stage(30, 1)], Behaviour(retries=30))
        strict = await run(port, [Stage(30, 1)])
    assert patient.failure_count == 0
    assert sum(second.retried for second in patient.seconds) == 60
    assert strict.failure_count == 20
    assert sum(counter["503 Service Unavailable"] for counter in strict.failures.values()) == 20


async def test_an_answer_with_nothing_in_it_is_no_success_and_is_not_asked_for_again() -> None:
    async def answer(number: int) -> bytes:
        return EMPTY if number % 3 == 0 else OK

    async with serving(answer) as port:
        record = await run(port, [Stage(30, 1)], Behaviour(retries=3))
    assert record.overall.count == 20
    assert sum(record.failures[verb][DEGRADED] for verb in Verb) == 10
    assert sum(second.retried for second in record.seconds) == 0


def test_no_two_things_that_a_user_asks_about_are_the_same() -> None:
    assert len({words_of(number) for number in range(37_000)}) == 37_000
