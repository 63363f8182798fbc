from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from store_makers import NOW, SPACE, Held, key, memory

from pronoia.adapters.postgres import housekeeping as adapter
from pronoia.adapters.postgres.housekeeping import PostgresHousekeeping
from pronoia.adapters.postgres.insight_store import PostgresInsightStore
from pronoia.adapters.postgres.monitoring_store import PostgresMonitoringStore
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind
from pronoia.ports.insight_store import DailyOutcome, DailyValue, OutcomeKind
from pronoia.ports.monitoring import Level

if TYPE_CHECKING:
    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database
    from pronoia.ports.monitoring import KeptLevel

pytestmark = pytest.mark.anyio
NEVER = datetime(1, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def housekeeping(database: Database) -> PostgresHousekeeping:
    return PostgresHousekeeping(database, direct_url="")


async def _purge(housekeeping: PostgresHousekeeping, uses_before: datetime, removals_before: datetime) -> list[int]:
    """Go through all users, and give how many rows each call forgot."""
    purged: list[int] = []
    user, count = await housekeeping.purge_history(None, uses_before, removals_before)
    purged.append(count)
    while user is not None:
        user, count = await housekeeping.purge_history(user, uses_before, removals_before)
        purged.append(count)
    return purged


async def _activities(database: Database, scope: Scope) -> list[int]:
    async with database.reading(scope.organisation_id) as connection:
        rows = await connection.fetch("select activity from accesses order by activity")
    return [row["activity"] for row in rows]


async def test_old_uses_of_all_users_are_forgotten_in_bounded_pieces(
    store: PostgresMemoryStore,
    accesses: PostgresAccessLog,
    keys: PostgresKeyStore,
    database: Database,
    housekeeping: PostgresHousekeeping,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapter, "PURGE_BATCH", 4)
    monkeypatch.setattr(adapter, "PURGED_USERS", 2)
    scopes = [Scope(uuid4(), f"user {number}") for number in range(5)]
    for scope in scopes:
        await keys.create(key(scope.organisation_id))
        one = memory()
        await store.add(scope, [one], None)
        await accesses.record([Access(scope, one.id, AccessKind.GET, NOW + day * DAY) for day in range(10)])
    purged = await _purge(housekeeping, NOW + 7 * DAY, NEVER)
    assert (sum(purged), max(purged)) == (5 * 7, 4)
    assert [await _activities(database, scope) for scope in scopes] == [[8, 9, 10]] * 5
    assert sum(await _purge(housekeeping, NOW + 7 * DAY, NEVER)) == 0


async def test_who_holds_a_set_from_before_what_was_forgotten_reads_everything_and_others_what_changed(
    store: PostgresMemoryStore, accesses: PostgresAccessLog, scope: Scope, housekeeping: PostgresHousekeeping
) -> None:
    kept, used, gone, gone_later = (memory(text) for text in ("kept", "used", "gone", "gone later"))
    await store.add(scope, [kept, used, gone, gone_later], None)
    before = await store.state(scope)
    held = Held().apply(await store.load(scope, SPACE, None))
    await accesses.record([Access(scope, used.id, AccessKind.GET, NOW)])
    await store.delete(scope, gone.id, NOW, None)
    between = await store.state(scope)
    held_between = Held().apply(await store.load(scope, SPACE, None))
    await accesses.record([Access(scope, used.id, AccessKind.GET, NOW + 2 * DAY)])
    await store.delete(scope, gone_later.id, NOW + 2 * DAY, None)
    await _purge(housekeeping, NOW + DAY, NOW + DAY)
    whole = Held().apply(await store.load(scope, SPACE, None))
    anew, changes = await store.load(scope, SPACE, before), await store.load(scope, SPACE, between)
    assert (anew.complete, changes.complete) == (True, False)
    assert held.apply(anew) == held_between.apply(changes) == whole


@pytest.mark.parametrize("forgotten", ["uses", "removals"])
async def test_either_alone_makes_an_older_set_useless(
    store: PostgresMemoryStore,
    accesses: PostgresAccessLog,
    scope: Scope,
    housekeeping: PostgresHousekeeping,
    forgotten: str,
) -> None:
    one, other = memory(), memory()
    await store.add(scope, [one, other], None)
    before = await store.state(scope)
    await accesses.record([Access(scope, one.id, AccessKind.GET, NOW)])
    await store.delete(scope, other.id, NOW, None)
    uses_before, removals_before = (NOW + DAY, NEVER) if forgotten == "uses" else (NEVER, NOW + DAY)
    assert sum(await _purge(housekeeping, uses_before, removals_before)) == 1
    assert (await store.load(scope, SPACE, before)).complete


async def test_a_user_who_is_being_written_is_left_for_the_next_time(
    store: PostgresMemoryStore,
    accesses: PostgresAccessLog,
    scope: Scope,
    database: Database,
    housekeeping: PostgresHousekeeping,
) -> None:
    one = memory()
    await store.add(scope, [one], None)
    await accesses.record([Access(scope, one.id, AccessKind.GET, NOW)])
    async with database.writing(scope.organisation_id) as connection:
        await connection.execute("select from users for update")
        assert sum(await _purge(housekeeping, NOW + DAY, NOW + DAY)) == 0
    assert sum(await _purge(housekeeping, NOW + DAY, NOW + DAY)) == 1


async def test_daily_sums_and_metrics_of_earlier_days_are_forgotten(
    store: PostgresMemoryStore, scope: Scope, database: Database, housekeeping: PostgresHousekeeping
) -> None:
    await store.add(scope, [memory()], None)
    insights, days = PostgresInsightStore(database), [(NOW + number * DAY).date() for number in range(3)]
    for day in days:
        await insights.add_outcomes([(scope, DailyOutcome(day, OutcomeKind.SEARCH, 0, 1, 1))])
        await insights.keep_metric(scope, DailyValue("avg_helpfulness", day, 0.5))
    assert await housekeeping.purge_metrics(days[1]) == 2
    assert await housekeeping.purge_metrics(days[1]) == 0
    assert [one.day for one in await insights.outcomes(scope, days[0])] == days[1:]
    assert [one.day for one in await insights.metrics(scope, days[0])] == days[1:]


async def test_a_job_is_done_once_in_a_time_whoever_asks(housekeeping: PostgresHousekeeping) -> None:
    assert await housekeeping.claim("job", 60.0)
    assert not await housekeeping.claim("job", 60.0)
    assert await housekeeping.claim("another", 0.0)
    assert await housekeeping.claim("another", 0.0)


def _level(draw: random.Random) -> Level:
    requests = draw.randrange(3)
    return Level(
        requests=requests,
        failed=draw.randrange(requests + 1),
        seconds=float(draw.randrange(100)),
        cache_asked=draw.randrange(9),
        latencies=[draw.randrange(5) for _ in range(4)],
        foresight=[draw.randrange(5) for _ in range(4)],
    )


async def test_levels_read_by_the_hour_equal_those_read_by_the_minute(
    database: Database, housekeeping: PostgresHousekeeping
) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - no secret
    print(f"seed {seed}")  # noqa: T201
    draw = random.Random(seed)  # noqa: S311 - no secret
    store, now = PostgresMonitoringStore(database), datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = [now - timedelta(minutes=draw.randrange(5 * 1440)) for _ in range(2_000)]
    await store.add_levels({minute: _level(draw) for minute in minutes})
    since = [now - timedelta(seconds=draw.randrange(5 * 86_400)) for _ in range(20)]
    since += [draw.choice(minutes).replace(minute=0), draw.choice(minutes), now - timedelta(days=30), now]

    async def read() -> list[KeptLevel]:
        return await store.levels(since)

    by_minute = await read()
    await housekeeping.refresh_reports()
    assert await read() == by_minute
    async with database.writing(None) as connection:
        assert await connection.fetchval("select count(*) from hourly_levels") > 24
        assert await connection.fetchval("select max(hour) < now() - interval '25 hours' from hourly_levels")
    # A process that could not write for long adds to an hour that was added up: seen when it is added up again.
    late = now - timedelta(days=3)
    await store.add_levels({late: Level(requests=7, latencies=[0] * 4, foresight=[0] * 4)})
    await housekeeping.refresh_reports()
    month = -2
    assert (await read())[month].level.requests == by_minute[month].level.requests + 7
