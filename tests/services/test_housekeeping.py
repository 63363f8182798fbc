from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest

from pronoia.adapters.postgres.access_log import PostgresAccessLog
from pronoia.adapters.postgres.insight_store import PostgresInsightStore
from pronoia.adapters.postgres.organisation_store import PostgresUserStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.app import open_services
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind, Filters, Idempotency, Permission, Plan
from pronoia.ports.insight_store import DailyValue
from pronoia.services.drafts import Draft
from pronoia.services.recall import SearchRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.config import Settings

pytestmark = pytest.mark.anyio
SECONDS = 20
STATE = "select search_state from users where user_id = $1"
KEYS = "select key from idempotency_keys order by key"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    yield database
    await database.close()


async def until(database: Database, scope: Scope, query: str, expected: list[object], *arguments: object) -> None:
    """Ask until the database answers so: what is awaited is done by another task, when the server gets to it."""
    async with asyncio.timeout(SECONDS):
        while True:
            async with database.reading(scope.organisation_id) as connection:
                found = [row[0] for row in await connection.fetch(query, *arguments)]
            if found == expected:
                return
            await asyncio.sleep(0)


async def test_a_server_that_runs_indexes_who_outgrew_the_working_sets_and_forgets_old_outcomes(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pronoia.services.housekeeping.PAUSE_SECONDS", 0.01)
    scope = Scope(uuid4(), "ada")
    async with open_services(msgspec.structs.replace(settings, resident_limit=3)) as services:
        await services.keys.create(
            user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
        )
        for number in range(5):
            text = f"Ada keeps note {number} about bees"
            await services.memories.add(scope, [Draft(text)], Idempotency(f"key {number}", b"hash"))
        await until(database, scope, STATE, ["indexed"], "ada")
        found = await services.recall.search(scope, SearchRequest("note 3 about bees", Filters()))
        assert found.hits[0].memory.text == "Ada keeps note 3 about bees"
        async with database.writing(scope.organisation_id) as connection:
            await connection.execute(
                "update idempotency_keys set created_at = now() - interval '25 hours' where key < 'key 3'"
            )
        await until(database, scope, KEYS, ["key 3", "key 4"])


async def test_a_server_that_runs_forgets_what_is_older_than_it_may_be(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pronoia.services.housekeeping.PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("pronoia.services.housekeeping.UPKEEP_SECONDS", 0.0)
    now, scope = datetime.now(UTC), Scope(uuid4(), "ada")
    kept_days = {
        "learning_schedule": False,
        "access_retention_days": 30,
        "metric_retention_days": 20,
        "removal_retention_days": 10,
    }
    async with open_services(msgspec.structs.replace(settings, **kept_days)) as services:
        await services.keys.create(
            user_id="ada", plan=Plan.ENTERPRISE, permissions=Permission, organisation_id=scope.organisation_id
        )
        added = await services.memories.add(scope, [Draft("one"), Draft("two"), Draft("three")], None)
        uses = [
            Access(scope, added.memories[0].id, AccessKind.GET, now - timedelta(days=days)) for days in (40, 31, 29)
        ]
        await PostgresAccessLog(database).record(uses)
        insights = PostgresInsightStore(database)
        for days in (21, 19):
            await insights.keep_metric(scope, DailyValue("avg_helpfulness", (now - timedelta(days=days)).date(), 0.5))
        for memory in added.memories[1:]:
            await services.memories.delete(scope, memory.id, None)
        async with database.writing(scope.organisation_id) as connection:
            old = "update removals set at = now() - interval '11 days' where id = $1"
            await connection.execute(old, added.memories[1].id)
        users = PostgresUserStore(database)
        for name, hours in (("gone", 25), ("kept", 23)):
            await users.revoke_tokens(scope.organisation_id, name, now - timedelta(hours=hours))
        await until(database, scope, "select at from accesses where kind = 'get'", [uses[2].at])
        await until(database, scope, "select count(*) from learning_metrics", [1])
        await until(database, scope, "select not_before from token_revocations", [now - timedelta(hours=23)])
        await until(database, scope, "select id from removals where kind = 'memory'", [added.memories[2].id])
