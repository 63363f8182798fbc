"""What each report costs in the database: one user with 50,000 memories and 500,000 uses, and a month of levels.

python bench/reports.py
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import asyncpg
from harness import postgres

from pronoia.adapters.postgres.housekeeping import PostgresHousekeeping
from pronoia.adapters.postgres.monitoring_store import PostgresMonitoringStore
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.transactions import Database
from pronoia.services.insights import LARGEST_HISTORY
from pronoia.services.monitoring.histogram import BUCKETS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "store"))
from large_database import Size, fill, scope_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

RUNS = 5
ONE_USER = Size(users=1, memories=50_000, uses=500_000, indexed=0)
OTHERS = """
insert into users (organisation_id, user_id, memory_count)
select '00000000-0000-4000-8000-000000000001', 'other ' || n, 100 from generate_series(1, 100000) n;
insert into daily_outcomes (organisation_id, user_id, day, kind, bin, trials, hits, confidence)
select '00000000-0000-4000-8000-000000000001', 'other ' || n, current_date - d, 'search', 0, 3, 1, 0.5
from generate_series(1, 5000) n, generate_series(0, 199) d;
"""
LEVELS = """
insert into service_levels
select date_trunc('minute', now()) - make_interval(mins => n::int), 9000, 1, 0, 90.0, 9000, 7000, 0,
    array_fill(9, array[$1::int]), array_fill(3, array[$1::int])
from generate_series(1, 44640) n
"""
USES_BY_DAY = """
create materialized view uses_by_day as
select organisation_id, user_id, (at at time zone 'UTC')::date as day, count(*) from accesses group by 1, 2, 3;
create unique index on uses_by_day (organisation_id, user_id, day);
"""
"""What the documented views over each user's uses would be."""
WINDOWS = [timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=1), timedelta(hours=6), timedelta(days=3)]


async def main() -> None:
    async with postgres() as url:
        superuser = await asyncpg.connect(url.replace("pronoia@", "postgres@"), timeout=10)
        await fill(superuser, ONE_USER)
        await superuser.execute(OTHERS, timeout=300)
        await superuser.execute(LEVELS, BUCKETS, timeout=300)
        await superuser.execute("vacuum analyze", timeout=300)
        await superuser.close()
        database = await Database.open(url, connections=2, timeout_seconds=60)
        _show(await _reports(database))
        _show(await _levels(database, "by the minute"))
        housekeeping = PostgresHousekeeping(database, direct_url=url)
        _show({"refresh_hourly_levels": await _median_of(housekeeping.refresh_reports)})
        _show(await _levels(database, "by the hour"))
        await database.close()
        superuser = await asyncpg.connect(url.replace("pronoia@", "postgres@"), timeout=10)
        await superuser.execute(USES_BY_DAY, timeout=300)
        refreshing = partial(superuser.execute, "refresh materialized view concurrently uses_by_day", timeout=300)
        _show({"refresh of uses by day, if there were it": await _median_of(refreshing)})
        await superuser.close()


def _show(taken: dict[str, float]) -> None:
    for name, milliseconds in taken.items():
        print(f"{name:<44}{milliseconds:>10.1f} ms")


async def _reports(database: Database) -> dict[str, float]:
    now = datetime.now(UTC)
    user = scope_of(1)
    month, year = now - timedelta(days=30), now - timedelta(days=365)
    reports: dict[str, tuple[object, ...]] = {
        "read_recent_accesses": (*user, month, LARGEST_HISTORY),
        "read_satisfaction": (*user, month),
        "read_satisfaction of a year": (*user, year),
        "read_outcomes": (*user, month.date()),
        "read_outcomes of a year": (*user, year.date()),
        "read_metrics": (*user, month.date()),
        "read_runs": user,
        "feedback_summary": user,
        "ranking_state": user,
        "count_relationships": user,
        "last_used": (*user, 50_000, 1_000),
        "read_actions": (*user, 100),
        "organisation_contribution": (user[0], "layout"),
        "organisation_ranking_weights": (*user, "layout"),
    }
    taken = {name: await _median(database, user[0], name.split()[0], arguments) for name, arguments in reports.items()}
    taken["instance_totals"] = await _median(database, None, "instance_totals", ())
    taken["count_metric_rows"] = await _median(database, None, "count_metric_rows", ((now - timedelta(days=1)).date(),))
    return taken


async def _levels(database: Database, how: str) -> dict[str, float]:
    now, store = datetime.now(UTC), PostgresMonitoringStore(database)
    return {
        f"read_levels {how}, {name}": await _median_of(lambda ages=ages: store.levels([now - age for age in ages]))
        for name, ages in {"five windows": WINDOWS, "30 days": [timedelta(days=30)]}.items()
    }


async def _median(database: Database, organisation_id: UUID | None, name: str, arguments: tuple[object, ...]) -> float:
    async def run() -> None:
        transaction = database.writing(None) if organisation_id is None else database.reading(organisation_id)
        async with transaction as connection:
            await connection.fetch(QUERIES[name], *arguments)

    return await _median_of(run)


async def _median_of(run: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(RUNS):
        begun = perf_counter()
        await run()
        taken.append(1000 * (perf_counter() - begun))
    return median(taken)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(main())
