"""The store behind PgBouncer in transaction mode with two connections, and the same without it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import pytest
from store_makers import NOW, SECONDS, SPACE, feedback, key, memory, relationship, unit, until

from pgbouncer import POOL_SIZE
from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.change_feed import PostgresChangeFeed
from pronoia.adapters.postgres.housekeeping import PostgresHousekeeping
from pronoia.adapters.postgres.insight_store import PostgresScheduleStore
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.limit_store import PostgresLimitStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.migrations import migrate
from pronoia.adapters.postgres.monitoring_store import PostgresMonitoringStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.postgres.work_queue import PostgresWorkQueue
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.config import read_settings
from pronoia.domain.errors import ConfigurationError, StoreUnavailableError
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind, Filters, Idempotency, MemoryChanges
from pronoia.ports.limit_store import CellClaim
from pronoia.ports.snapshots import UserState
from pronoia.ports.work_queue import WorkKind
from pronoia.testing.meter import RecordingMeter, series

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pgbouncer import Way

pytestmark = pytest.mark.anyio
CLIENTS = 40
SLEEPING = "select count(*) from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(60)'"
BACKENDS = (
    "select state from pg_stat_activity "
    "where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
)


@pytest.fixture
async def database(way: Way) -> AsyncIterator[Database]:
    database = await way.open()
    yield database
    await database.close()


async def _new_scope(database: Database) -> Scope:
    scope = Scope(uuid4(), "ada")
    await PostgresKeyStore(database).create(key(scope.organisation_id))
    return scope


async def test_each_of_many_clients_reads_and_finds_what_it_wrote_and_nothing_of_another_tenant(
    database: Database,
) -> None:
    store = PostgresMemoryStore(database, resident_limit=1)

    async def live(number: int) -> None:
        scope, canary = await _new_scope(database), f"canary{number}"
        one, other = memory(f"{canary} sings", vector=unit(1.0)), memory(f"{canary} sleeps")
        await store.add(scope, [one, other], Idempotency("key", b"hash"))
        assert (await store.add(scope, [one, other], Idempotency("key", b"hash"))).version == 1
        await store.relate(scope, relationship(one.id, other.id), None)
        await store.judge(scope, one.id, feedback(helpful=True), None)
        await store.update(scope, other.id, MemoryChanges(text=f"{canary} wakes", terms=b""), NOW, None)
        await PostgresAccessLog(database).record([Access(scope, one.id, AccessKind.GET, NOW)])
        loaded = await store.load(scope, SPACE, None)
        assert loaded.memories.texts == [f"{canary} sings", f"{canary} wakes"]
        found = await store.candidates(scope, SPACE, unit(1.0), "sings wakes", Filters(), 10)
        assert set(found.memories.texts) == {f"{canary} sings", f"{canary} wakes"}
        await store.delete(scope, other.id, NOW, None)
        assert (await store.state(scope)).memory_count == 1

    await asyncio.gather(*(live(number) for number in range(CLIENTS)))


async def test_work_is_claimed_by_one_and_its_vectors_are_kept(database: Database) -> None:
    scope = await _new_scope(database)
    store, queue = PostgresMemoryStore(database, resident_limit=1_000), PostgresWorkQueue(database)
    new = memory("to be embedded")
    await store.add(scope, [new], None)
    claims = await asyncio.gather(*(queue.claim(WorkKind.EMBED, 10_000, 60.0) for _ in range(8)))
    (ours,) = [one for claim in claims for one in claim if one.scope == scope]
    await queue.finish_vectors(ours, [(new.id, unit(1.0))])
    assert (await store.load(scope, SPACE, None)).memories.embedded == [True]


async def test_leases_are_given_to_one_at_a_time(database: Database, administrator: asyncpg.Connection) -> None:
    await administrator.execute("delete from instance_leases")
    processes = [uuid4() for _ in range(8)]
    monitoring, schedule = PostgresMonitoringStore(database), PostgresScheduleStore(database)
    led = await asyncio.gather(*(monitoring.lead(process, 60.0) for process in processes))
    assert sum(led) == 1
    await _new_scope(database)
    job = f"job {uuid4()}"
    claimed = await asyncio.gather(*(schedule.claim(job, process, 60.0, None) for process in processes))
    given = [organisation_id for organisation_id in claimed if organisation_id is not None]
    assert len(given) == len(set(given)) > 0


async def test_budgets_are_shared_exactly(database: Database) -> None:
    store, organisation_id = PostgresLimitStore(database), uuid4()
    claim = CellClaim(organisation_id, b"key", interval_seconds=60.0, limit=10, wanted=1, minimum=1)
    taken = await asyncio.gather(*(store.take([claim]) for _ in range(30)))
    assert sum(grant.cells for (grant,) in taken) == 10


async def test_changes_are_announced_through_it_and_heard_past_it(database: Database, way: Way) -> None:
    scope, heard = Scope(uuid4(), "ada"), asyncio.Queue[tuple[bytes, int, int]]()
    listening = asyncio.Event()
    listener = PostgresChangeFeed(database, direct_url=way.direct_url, timeout_seconds=SECONDS)
    task = asyncio.create_task(listener.run(lambda *change: heard.put_nowait(change), lambda _: None, listening.set))
    await asyncio.wait_for(listening.wait(), SECONDS)
    other = PostgresChangeFeed(database, direct_url=way.direct_url, timeout_seconds=SECONDS)
    await other.announce([(scope, UserState(7, 3, 1))])
    assert await asyncio.wait_for(heard.get(), SECONDS) == (scope.digest, 7, 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_index_is_built_past_it_under_its_lock(database: Database, way: Way) -> None:
    housekeeping = PostgresHousekeeping(database, direct_url=way.direct_url)
    dimensions = 8 if way.pooler else 9
    assert await housekeeping.ensure_vector_index(dimensions)
    assert not await housekeeping.ensure_vector_index(dimensions)


async def test_a_hundred_cancelled_in_the_middle_leave_nothing_behind(
    way: Way, administrator: asyncpg.Connection
) -> None:
    database = await way.open(connections=4)
    scope, other = await _new_scope(database), await _new_scope(database)
    store = PostgresMemoryStore(database, resident_limit=1_000)
    await store.add(scope, [memory("canary")], None)
    at_once = POOL_SIZE if way.pooler else 4

    async def sleep() -> None:
        async with database.reading(scope.organisation_id) as connection:
            await connection.execute("select pg_sleep(60)")

    for _ in range(25):
        # Behind the pooler two of them run, and two wait for a connection in its queue.
        tasks = [asyncio.create_task(sleep()) for _ in range(4)]
        await until(administrator, f"{SLEEPING} and state = 'active'", at_once)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in ended] == [asyncio.CancelledError] * 4
        assert (await store.state(other)).memory_count == 0
    loads = await asyncio.gather(*(store.load(one, "", None) for one in (scope, other) for _ in range(20)))
    assert [loaded.memories.texts for loaded in loads] == [["canary"]] * 20 + [[]] * 20
    await until(administrator, f"{SLEEPING} and state = 'active'", 0)
    states = [row["state"] for row in await administrator.fetch(BACKENDS)]
    assert set(states) == {"idle"}
    assert len(states) <= 4 + POOL_SIZE
    await database.close()


async def test_a_statement_is_cut_off_by_the_server_too(way: Way, administrator: asyncpg.Connection) -> None:
    database = await way.open(connections=1, timeout_seconds=0.5)
    async with database.reading(uuid4()) as connection:
        settings = await connection.fetchrow(
            "select current_setting('statement_timeout') as statement, current_setting('jit') as jit, "
            "current_setting('idle_in_transaction_session_timeout') as idle, "
            "current_setting('plan_cache_mode') as plans"
        )
    assert dict(settings) == {"statement": "500ms", "jit": "off", "idle": "1s", "plans": "force_generic_plan"}
    with pytest.raises(StoreUnavailableError):
        async with database.durable() as connection:
            await connection.execute("select pg_sleep(60)")
    await until(administrator, f"{SLEEPING} and state = 'active'", 0)
    await database.close()


async def _plant(pooled: Way, tenant: UUID) -> None:
    """Set a tenant for the session, as a careless client might, in each of the pooler's connections."""
    clients = [await asyncpg.connect(pooled.url, statement_cache_size=0, timeout=SECONDS) for _ in range(POOL_SIZE)]
    for client in clients:
        await client.execute("begin")
    for client in clients:
        await client.execute(f"set app.tenant = '{tenant}'")
    for client in clients:
        await client.execute("commit")
        await client.close()


async def _visible(pooled: Way) -> int:
    """Count what a client sees that sets no tenant."""
    client = await asyncpg.connect(pooled.url, statement_cache_size=0, timeout=SECONDS)
    async with client.transaction():
        await client.execute("set local role pronoia_app")
        seen = await client.fetchval("select count(*) from memories")
    await client.close()
    return seen


async def test_a_tenant_that_another_client_left_in_the_session_shows_nothing_and_is_found_and_cleared(
    pooled: Way,
) -> None:
    meter = RecordingMeter()
    database = await pooled.open(telemetry=replace(open_telemetry(), meter=meter))
    scope, other = await _new_scope(database), await _new_scope(database)
    store = PostgresMemoryStore(database, resident_limit=1_000)
    await store.add(scope, [memory("canary")], None)
    found = series("db_foreign_settings_total")
    assert found not in meter.counts
    count = "select count(*) from memories"
    for transaction in (
        lambda: database.reading(other.organisation_id),
        lambda: database.writing(other.organisation_id),
        lambda: database.writing(None),
        database.durable,
        lambda: database.durable(one_statement=True),
    ):
        await _plant(pooled, scope.organisation_id)
        assert await _visible(pooled) == 1  # the trap is there
        before = meter.counts[found]
        async with transaction() as one, transaction() as another:
            assert [await one.fetchval(count), await another.fetchval(count)] == [0, 0]
        assert meter.counts[found] == before + POOL_SIZE
        assert await _visible(pooled) == 0
    await database.close()


async def test_a_pooler_that_is_not_declared_is_named_in_the_remedy(pooled: Way) -> None:
    with pytest.raises(ConfigurationError, match="PRONOIA_DATABASE_POOLER=true"):
        await Database.open(pooled.url, connections=1, timeout_seconds=SECONDS)
    with pytest.raises(ConfigurationError, match="PRONOIA_DATABASE_POOLER=true"):
        await migrate(pooled.url)


def test_a_pooler_without_a_way_past_it_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="PRONOIA_DATABASE_DIRECT_URL"):
        read_settings({"PRONOIA_DATABASE_POOLER": "true", "PRONOIA_DATABASE_URL": "postgresql://pooler"})
