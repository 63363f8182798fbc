"""What encrypted texts cost: python bench/encryption.py. Stores and loads 10,000 memories, plain and encrypted."""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

from pronoia.adapters.master_keys import MasterKeys
from pronoia.adapters.postgres.data_keys import DataKeys
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.organisation_store import PostgresOrganisationStore
from pronoia.adapters.postgres.text_cipher import PLAIN_TEXTS
from pronoia.cli.storage import opened_database
from pronoia.config import read_settings
from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.organisations import Organisation
from pronoia.domain.records import NewMemory, Vector
from pronoia.resilience.clock import SystemClock

if TYPE_CHECKING:
    from pronoia.adapters.postgres.text_cipher import Texts
    from pronoia.adapters.postgres.transactions import Database

BATCHES, BATCH, ROUNDS = 100, 100, 3
TEXT = "Ada moved to Berlin in May and now works on the payment service with Grace, on Tuesdays from home. "
VECTOR = Vector("bench/256", b"\x00\x00\x80\x3d" * 256)


def _memory(number: int) -> NewMemory:
    at = SystemClock().now()
    return NewMemory(
        id=new_id(at), text=f"{TEXT}{number}", source="bench", project_id="default", tags=(), metadata="{}",
        session_id=None, agent_id=None, speaker=None, occurred_at=None, created_at=at,
        terms=os.urandom(120), vector=VECTOR,
    )  # fmt: skip


async def _measure(database: Database, texts: Texts) -> tuple[float, float, float]:
    """Give seconds of storing and of loading, and bytes of a stored text."""
    scope, clock = Scope(uuid4(), "ada"), SystemClock()
    await PostgresOrganisationStore(database).create(Organisation(scope.organisation_id, "bench", clock.now()))
    store = PostgresMemoryStore(database, resident_limit=1_000_000, texts=texts)
    begun = time.perf_counter()
    for batch in range(BATCHES):
        await store.add(scope, [_memory(batch * BATCH + number) for number in range(BATCH)], None)
    stored = time.perf_counter() - begun
    begun = time.perf_counter()
    await store.load(scope, VECTOR.space, None)
    loaded = time.perf_counter() - begun
    async with database.reading(scope.organisation_id) as connection:
        size: float = await connection.fetchval("select avg(octet_length(text))::float8 from memories")
    return stored, loaded, size


async def main() -> None:
    """Print the figures."""
    with TemporaryDirectory(prefix="pronoia-") as folder:
        key = Path(folder) / "master.key"
        key.touch(mode=0o600)
        key.write_bytes(base64.b64encode(os.urandom(32)))
        async with opened_database(read_settings({"PRONOIA_DATA": f"{folder}/data"})) as database:
            ways = (PLAIN_TEXTS, DataKeys(database, MasterKeys(files=[key])))
            # In turns, so that neither has the warmer or the larger tables.
            measured = [[await _measure(database, texts) for texts in ways] for _ in range(ROUNDS)]
    plain, encrypted = ([min(values) for values in zip(*way, strict=True)] for way in zip(*measured, strict=True))
    for name, one, other in zip(("storing", "loading", "bytes of a text"), plain, encrypted, strict=True):
        print(f"{name:16} plain {one:9.3f}  encrypted {other:9.3f}  ratio {other / one:.2f}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(main())
