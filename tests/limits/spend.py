"""One of several processes that spend one budget until they are refused: prints how many requests were admitted.

Usage: spend.py URL LIMIT NAME. Says when it is ready, and begins when told to.
"""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

from pronoia.adapters.postgres.limit_store import PostgresLimitStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.redis.limit_store import RedisLimitStore
from pronoia.resilience.clock import SystemClock
from pronoia.resilience.rate_limit import Rate
from pronoia.services.rate_limiter import Demand, RateLimiter, Subject
from pronoia.testing.meter import RecordingMeter, series

REFUSALS = 20


async def main(url: str, limit: int, name: str) -> None:
    if url.startswith("unix:"):
        store = RedisLimitStore(url, timeout_seconds=5)
    else:
        store = PostgresLimitStore(await Database.open(url, connections=2, timeout_seconds=5))
    meter = RecordingMeter()
    limiter = RateLimiter(store=store, clock=SystemClock(), meter=meter, load=lambda: 0.0)
    await limiter.look([Demand(Subject("user", UUID(int=1), "", "warm"), Rate(1))])
    print("ready", flush=True)  # noqa: T201 - the test reads it
    sys.stdin.readline()
    demand = Demand(Subject("user", UUID(int=1), "", name), Rate(limit))
    admitted = refused = 0
    while refused < REFUSALS:
        (usage,) = await limiter.admit([demand])
        admitted += not usage.is_refused
        refused += usage.is_refused
    await store.close()
    assert not meter.counts[series("rate_limit_store_failures_total")]
    print(admitted)  # noqa: T201 - the test reads it


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
