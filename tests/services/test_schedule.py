from __future__ import annotations

import asyncio
from uuid import uuid4

import msgspec
import pytest

from pronoia.adapters.postgres.insight_store import PostgresInsightStore, PostgresScheduleStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.composition.background import scheduled_jobs
from pronoia.config import read_settings
from pronoia.domain.records import AccessKind
from pronoia.faces.http.routes.maintenance import give_suggestions
from pronoia.services.drafts import Draft
from pronoia.services.features import Feature
from pronoia.services.schedule import LEASE_SECONDS, Job, Schedule
from pronoia.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(database_url):
    return read_settings({}, database_url=database_url, learning_schedule=False)


@pytest.fixture
async def database(database_url):
    database = await Database.open(database_url, connections=4, timeout_seconds=10)
    yield database
    await database.close()


@pytest.fixture
async def active(services, scope):
    """Give a user who used their memory."""
    (memory,) = (await services.memories.add(scope, [Draft("Tea is green")])).memories
    uses = services.memories._uses
    uses.record(scope, [memory.id], AccessKind.GET)
    await uses.flush()
    return scope


def schedule(database, clock, work, is_off=lambda _: False):
    return Schedule(
        store=PostgresScheduleStore(database),
        insights=PostgresInsightStore(database),
        jobs=[Job("metrics", 3600.0, work, Feature.LEARNING_METRICS)],
        clock=clock.now,
        is_off=is_off,
        now=clock.now,
    )


async def test_of_two_processes_one_does_the_job_and_not_again_before_its_time(database, active):
    clock, done = ManualClock(), []

    async def work(scope):
        done.append(scope)

    first, second = schedule(database, clock, work), schedule(database, clock, work)
    assert sorted(await asyncio.gather(first.run_once(), second.run_once())) == [False, True]
    assert done == [active]
    clock.advance(3599)
    assert not await second.run_once()
    clock.advance(1)
    assert await second.run_once()
    assert done == [active], "nothing was used since"


async def test_a_job_waits_while_the_server_does_without_its_feature(database, active):
    clock, done, off = ManualClock(), [], {Feature.LEARNING_METRICS}

    async def work(scope):
        done.append(scope)

    busy = schedule(database, clock, work, off.__contains__)
    assert not await busy.run_once()
    off.clear()
    assert await busy.run_once()
    assert done == [active]


async def test_a_job_of_a_killed_process_passes_on_when_its_lease_runs_out(database, active):
    clock, done = ManualClock(), []

    async def die(_):
        raise asyncio.CancelledError

    async def work(scope):
        done.append(scope)

    with pytest.raises(asyncio.CancelledError):
        await schedule(database, clock, die).run_once()
    other = schedule(database, clock, work)
    clock.advance(LEASE_SECONDS - 1)
    assert not await other.run_once()
    clock.advance(1)
    assert await other.run_once()
    assert done == [active]


@pytest.mark.parametrize("auto_apply", [False, True])
async def test_maintenance_looks_by_the_clock_and_mends_only_where_it_may(settings, services, scope, auto_apply):
    settings = msgspec.structs.replace(settings, learning_auto_apply=auto_apply)
    (job,) = [one for one in scheduled_jobs(settings, services) if one.name == "maintenance"]
    assert job.pause_seconds == 6 * 3600
    await services.memories.add(scope, [Draft("Tea is green"), Draft("tea is green!")])
    await services.memories._uses.flush()
    await job.work(scope)
    assert len(await services.maintenance.actions(scope)) == auto_apply
    services.maintenance.suggestions = None  # what the job found is there without looking again
    found = msgspec.json.decode((await give_suggestions(services, scope)).body)
    assert found["summary"]["total_duplicates"] == (not auto_apply)


async def test_a_lease_that_ran_out_is_taken_over_and_its_late_owner_ends_nothing(database, active):
    clock, done = ManualClock(), []
    held_up, released = asyncio.Event(), asyncio.Event()

    async def hang(_):
        held_up.set()
        await released.wait()

    async def work(scope):
        done.append(scope)

    late = asyncio.create_task(schedule(database, clock, hang).run_once())
    await asyncio.wait_for(held_up.wait(), 10)
    clock.advance(LEASE_SECONDS)
    assert await schedule(database, clock, work).run_once()
    assert done == [active]
    due = "select next_run, last_run, holder, leased_until from schedule where job = 'metrics'"
    async with database.reading(active.organisation_id) as connection:
        before = await connection.fetchrow(due)
    assert (before["next_run"] - clock.now()).total_seconds() == 3600
    clock.advance(1800)
    released.set()
    await late
    async with database.reading(active.organisation_id) as connection:
        assert await connection.fetchrow(due) == before
    clock.advance(1799)
    assert not await schedule(database, clock, work).run_once()


async def test_only_the_holder_of_a_lease_may_end_it(database, active):
    clock, store = ManualClock(), PostgresScheduleStore(database)
    first, second = uuid4(), uuid4()
    organisation = active.organisation_id
    assert await store.claim("metrics", first, LEASE_SECONDS, clock.now()) == organisation
    assert await store.claim("metrics", second, LEASE_SECONDS, clock.now()) is None
    clock.advance(LEASE_SECONDS)
    assert await store.claim("metrics", second, LEASE_SECONDS, clock.now()) == organisation
    await store.finish(organisation, "metrics", first, 0.0, clock.now())
    assert await store.claim("metrics", first, LEASE_SECONDS, clock.now()) is None
    await store.finish(organisation, "metrics", second, 0.0, clock.now())
    assert await store.claim("metrics", first, LEASE_SECONDS, clock.now()) == organisation
