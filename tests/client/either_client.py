"""One way to call both clients, so that each test holds for the two."""

from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, datetime, timedelta

from pronoia.client import AsyncPronoia, AsyncTiming, Pronoia, Timing

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeTime:
    """Time that passes only while a client sleeps, and dice that always fall the same."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.dice = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def blocking(self) -> Timing:
        return Timing(self.sleep, lambda: self.dice, lambda: self.seconds, self.now)

    def asynchronous(self) -> AsyncTiming:
        return AsyncTiming(self.async_sleep, lambda: self.dice, lambda: self.seconds, self.now)


class Blocking:
    """An asynchronous client whose verbs are called like the blocking one's."""

    def __init__(self, client: AsyncPronoia, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    def __getattr__(self, name: str):
        verb = getattr(self.client, name)

        def call(*arguments, **named):
            result = verb(*arguments, **named)
            return self._runner.run(_collect(result) if inspect.isasyncgen(result) else result)

        return call


async def _collect(items):
    return [item async for item in items]


class ClientFactory:
    """Opens clients of one kind and closes them all at the end."""

    def __init__(self, kind: str, time: FakeTime | None = None) -> None:
        self.kind = kind
        self._time = time
        self._runner = asyncio.Runner()
        self._opened: list[Pronoia | Blocking] = []

    def __call__(self, **options):
        client = self._async(**options) if self.kind == "async" else self._sync(**options)
        self._opened.append(client)
        return client

    def close(self) -> None:
        for client in self._opened:
            client.close()
        self._runner.close()

    def _async(self, **options) -> Blocking:
        timing = self._time.asynchronous() if self._time else None
        return Blocking(AsyncPronoia(timing=timing, **options), self._runner)

    def _sync(self, **options) -> Pronoia:
        return Pronoia(timing=self._time.blocking() if self._time else None, **options)
