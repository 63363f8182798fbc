from __future__ import annotations

import asyncio
import threading

import pytest

from pronoia.adapters.compute import ComputeExecutor
from pronoia.adapters.process_memory import allowed_bytes, resident_bytes
from pronoia.domain.errors import OverloadedError


def test_more_work_than_threads_and_queue_hold_is_refused_and_the_loop_stays_free() -> None:
    rejected: list[str] = []
    release = threading.Event()
    executor = ComputeExecutor(concurrent=2, queue=1, rejected=lambda: rejected.append("compute"))

    async def overload() -> list[bool]:
        loop = asyncio.get_running_loop()
        held = [loop.run_in_executor(executor, release.wait, 10) for _ in range(3)]
        with pytest.raises(OverloadedError):
            await loop.run_in_executor(executor, release.wait, 10)
        release.set()
        results = await asyncio.gather(*held)
        return [*results, await loop.run_in_executor(executor, release.is_set)]

    assert asyncio.run(overload()) == [True] * 4
    assert rejected == ["compute"]
    executor.shutdown()


def test_work_whose_request_has_ended_leaves_the_queue() -> None:
    release, ran = threading.Event(), threading.Event()
    executor = ComputeExecutor(concurrent=1, queue=1)

    async def give_up() -> None:
        loop = asyncio.get_running_loop()
        held = loop.run_in_executor(executor, release.wait, 10)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await loop.run_in_executor(executor, ran.set)
        release.set()
        await held
        await loop.run_in_executor(executor, release.is_set)

    asyncio.run(give_up())
    assert not ran.is_set()
    executor.shutdown()


def test_memory_is_measured() -> None:
    assert 1 << 20 < resident_bytes() < allowed_bytes()
