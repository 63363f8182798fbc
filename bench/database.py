"""A PostgreSQL on the load's core, and the bare statements that the server's figures are held against."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import numpy as np

from bench.server import SERVER_CORE, on_core
from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

CONNECTIONS = 10
"""As many as a server process holds."""
DIMENSIONS = 256
IDLE_SECONDS = 120.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class BareDatabase:
    """One table with a text, a vector and a key. Its client runs on the server's core, as the server's own does."""

    url: str
    pool: asyncpg.Pool

    async def insert(self, texts: Sequence[str], *, at_once: int) -> float:
        """Insert rows, `at_once` of them in a statement and transaction; give rows a second."""
        vector = "[" + ",".join(f"{one:.4f}" for one in _vectors(1)[0]) + "]"
        waiting = iter([texts[start : start + at_once] for start in range(0, len(texts), at_once)])

        async def work() -> None:
            async with self.pool.acquire() as connection:
                for chunk in waiting:
                    await connection.execute(
                        "insert into bare select id, 'bare', body, (select $3::text::halfvec)"
                        " from unnest($1::uuid[], $2::text[]) as given (id, body)",
                        *([uuid4() for _ in chunk], chunk, vector),
                    )

        with on_core(SERVER_CORE):
            begun = time.perf_counter()
            await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
            return len(texts) / (time.perf_counter() - begun)

    async def scan(self, user: str, count: int) -> list[float]:
        """Find the ten nearest of a user's vectors exactly, ids only; give the seconds of each of `count` queries."""
        taken: list[float] = []
        async with self.pool.acquire() as connection:
            await connection.execute("set enable_indexscan = off")
            for vector in _vectors(count):
                text = "[" + ",".join(f"{one:.4f}" for one in vector) + "]"
                begun = time.perf_counter()
                await connection.fetch(
                    "select id from memories where user_id = $1"
                    " order by embedding <#> (select $2::text::halfvec) limit 10",
                    *(user, text),
                )
                taken.append(time.perf_counter() - begun)
            await connection.execute("reset enable_indexscan")
        return taken

    async def until_idle(self) -> None:
        """Wait until the server has done the work that writes left behind."""
        deadline = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < deadline and await self.pool.fetchval("select exists (select from work)"):  # noqa: ASYNC110 - another process works
            await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[BareDatabase]:
    """Start a migrated PostgreSQL in a folder; it inherits the cores of this process."""
    server = EmbeddedPostgres(folder)
    url = await server.start()
    try:
        await migrate(url)
        superuser = url.replace("//pronoia@", "//postgres@")
        async with asyncpg.create_pool(superuser, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
            await pool.execute("create table bare (id uuid primary key, user_id text, body text, v halfvec(256))")
            yield BareDatabase(url, pool)
    finally:
        await server.stop()


def _vectors(count: int) -> np.ndarray:
    made = np.random.default_rng(1).normal(size=(count, DIMENSIONS))
    return made / np.linalg.norm(made, axis=1, keepdims=True)
