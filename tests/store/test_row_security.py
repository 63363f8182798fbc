from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from store_makers import NOW, erasure, feedback, key, memory, relationship

from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.adapters.postgres.cache_tier import PostgresCacheTier
from pronoia.adapters.postgres.contribution_store import PostgresContributionStore
from pronoia.adapters.postgres.insight_store import PostgresInsightStore, PostgresScheduleStore
from pronoia.adapters.postgres.limit_store import PostgresLimitStore
from pronoia.adapters.postgres.maintenance_store import PostgresMaintenanceStore
from pronoia.adapters.postgres.organisation_store import PostgresProjectStore, PostgresUserStore
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.ranking_store import PostgresRankingStore
from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.maintenance import MaintenanceAction, MaintenanceKind
from pronoia.domain.organisations import Project
from pronoia.domain.records import Access, AccessKind, Idempotency, MemoryChanges
from pronoia.domain.roles import Role
from pronoia.ports.cache_tier import CacheEntry
from pronoia.ports.insight_store import DailyOutcome, DailyValue, OutcomeKind
from pronoia.ports.learning_stores import RankingExample, RankingState
from pronoia.ports.limit_store import CellClaim
from pronoia.resilience.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio

TABLES = (
    *("organisations", "api_keys", "users", "memories", "memory_usage", "accesses", "feedback", "relationships"),
    *("removals", "memory_revisions", "idempotency_keys", "work"),
    "prediction_contributions",
    "ranking_examples",
    "ranking_weights",
    *("daily_outcomes", "learning_metrics", "learning_runs", "schedule"),
    "maintenance_actions",
    *("shared_answers", "kept_answers"),
    "rate_limits",
    "forgotten_users",
    *("projects", "user_roles", "token_revocations"),
    "erasures",
    *("audit_log", "audit_heads"),
    "data_keys",
)

INSTANCE_TABLES = ("service_levels", "process_reports", "instance_leases", "alerts")
"""Of no tenant: what the processes of an instance know together."""


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url, timeout=10, command_timeout=10)
    yield connection
    await connection.close()


@pytest.fixture
async def filled(store: PostgresMemoryStore, accesses: PostgresAccessLog, database: Database, scope: Scope) -> Scope:
    """Give a user who has at least one row in every table."""
    one, two, three = memory("one"), memory("two"), memory("three")
    await store.add(scope, [one, two, three], Idempotency("key", b"hash"))
    await store.relate(scope, relationship(one.id, two.id), Idempotency("key 2", b"hash"))
    await store.judge(scope, one.id, feedback(helpful=True), None)
    await store.update(scope, one.id, MemoryChanges(text="four", terms=b""), NOW, None)
    await store.delete(scope, three.id, NOW, None)
    await accesses.record([Access(scope, one.id, AccessKind.GET, NOW)])
    await PostgresContributionStore(database).add("layout", {scope: [1.0]})
    example = RankingExample(new_id(NOW), "query", one.id, (two.id,), helpful=True, strength=1.0)
    ranking = PostgresRankingStore(database)
    await ranking.add(scope, example, keep=1)
    await ranking.save(scope, RankingState("layout", (1.0,), served=True, fitted_at=NOW), [example.id])
    insights = PostgresInsightStore(database)
    await insights.add_outcomes([(scope, DailyOutcome(NOW.date(), OutcomeKind.SEARCH, 0, 1, 1))])
    await insights.keep_metric(scope, DailyValue("avg_helpfulness", NOW.date(), 0.5))
    await insights.note_run(scope, "patterns", NOW, 0)
    await PostgresScheduleStore(database).claim("patterns", uuid4(), 60.0, NOW)
    action = MaintenanceAction(uuid4(), MaintenanceKind.ARCHIVE, NOW, two.id)
    await PostgresMaintenanceStore(database, resident_limit=300).maintain(scope, [action], NOW, None)
    for shared in (True, False):
        tier = PostgresCacheTier(
            database, name="tier", shared=shared, lifetime_seconds=60, clean_seconds=60, maximum_keys=10,
            clock=SystemClock(),
        )  # fmt: skip
        await tier.put(scope, b"key", CacheEntry(b"answer", time.time() + 60))
    claim = CellClaim(scope.organisation_id, b"key", interval_seconds=1.0, limit=60, wanted=1, minimum=1)
    await PostgresLimitStore(database).take([claim])
    await store.forget(Scope(scope.organisation_id, "somebody else"), None, erasure())
    await PostgresProjectStore(database).create(scope.organisation_id, Project("default", None, NOW))
    users = PostgresUserStore(database)
    await users.set_role(scope.organisation_id, scope.user_id, Role.ADMIN)
    await users.revoke_tokens(scope.organisation_id, scope.user_id, NOW)
    await PostgresAuditStore(database).chain(100)
    async with database.writing(scope.organisation_id) as connection:
        await connection.execute(QUERIES["add_data_key"], scope.organisation_id, b"wrapped", "master")
    return scope


async def _enter(connection: asyncpg.Connection, tenant: str | None) -> None:
    await connection.execute("set local role pronoia_app")
    if tenant is not None:
        await connection.execute("select set_config('app.tenant', $1, true)", tenant)


async def _visible(connection: asyncpg.Connection, tenant: str | None) -> dict[str, bool]:
    async with connection.transaction():
        await _enter(connection, tenant)
        return {
            table: await connection.fetchval(f"select exists (select from {table})")  # noqa: S608 - our own names
            for table in TABLES
        }


async def test_every_table_of_tenants_is_forced_under_row_security(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "select relname, relrowsecurity and relforcerowsecurity as forced from pg_class "
        "where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'schema_migrations'"
    )
    assert {row["relname"]: row["forced"] for row in rows} == dict.fromkeys((*TABLES, *INSTANCE_TABLES), True)


async def test_tables_of_no_tenant_have_no_column_that_could_name_one(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "select column_name from information_schema.columns where table_name = any($1)", list(INSTANCE_TABLES)
    )
    names = {row["column_name"] for row in rows}
    assert len(rows) > len(INSTANCE_TABLES)
    assert names.isdisjoint({"organisation_id", "user_id", "memory_id", "text"})


async def test_materialised_views_hold_nothing_of_a_tenant_because_no_policy_holds_for_them(
    connection: asyncpg.Connection,
) -> None:
    rows = await connection.fetch(
        "select c.relname, array_agg(a.attname::text) as names, pg_get_viewdef(c.oid) as definition "
        "from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 "
        "where c.relkind in ('v', 'm') and c.relnamespace = 'public'::regnamespace group by c.oid, c.relname"
    )
    assert [row["relname"] for row in rows] == ["hourly_levels"]
    for row in rows:
        assert set(row["names"]).isdisjoint({"organisation_id", "user_id", "memory_id", "text"})
        assert not [table for table in TABLES if re.search(rf"\b{table}\b", row["definition"])]


async def test_every_key_begins_with_the_organisation(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "select conrelid::regclass::text as name, contype::text as kind, "
        "(select attname from pg_attribute where attrelid = conrelid and attnum = conkey[1]) as first "
        "from pg_constraint where contype in ('p', 'u', 'f') and connamespace = 'public'::regnamespace "
        "and conrelid <> 'schema_migrations'::regclass and not conrelid::regclass::text = any($1)",
        list(INSTANCE_TABLES),
    )
    assert len(rows) > len(TABLES)
    assert {row["first"] for row in rows} == {"organisation_id"}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("tenant", [None, "", str(uuid4())], ids=["none", "empty", "another"])
async def test_without_a_tenant_or_as_another_no_row_is_seen(
    connection: asyncpg.Connection, tenant: str | None
) -> None:
    assert await _visible(connection, tenant) == dict.fromkeys(TABLES, False)


async def test_as_the_tenant_its_rows_are_seen(connection: asyncpg.Connection, filled: Scope) -> None:
    assert await _visible(connection, str(filled.organisation_id)) == dict.fromkeys(TABLES, True)


async def test_a_tenant_that_was_set_is_gone_after_its_transaction(
    connection: asyncpg.Connection, filled: Scope
) -> None:
    await _visible(connection, str(filled.organisation_id))
    assert await _visible(connection, None) == dict.fromkeys(TABLES, False)


async def test_rows_of_another_tenant_cannot_be_written(connection: asyncpg.Connection, filled: Scope) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await _enter(connection, str(uuid4()))
    assert await connection.execute("update memories set text = 'stolen'") == "UPDATE 0"
    assert await connection.execute("delete from users") == "DELETE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await connection.execute(
            "insert into users (organisation_id, user_id) values ($1, 'eve')", filled.organisation_id
        )
    await transaction.rollback()


async def test_the_role_owns_nothing_and_cannot_step_around_its_policies(connection: asyncpg.Connection) -> None:
    role = await connection.fetchrow(
        "select rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb from pg_roles "
        "where rolname = 'pronoia_app'"
    )
    assert set(role.values()) == {False}
    owned = "select count(*) from pg_shdepend where refobjid = 'pronoia_app'::regrole and deptype = 'o'"
    assert await connection.fetchval(owned) == 0


async def test_functions_that_see_every_tenant_are_lent_to_the_role_alone_and_find_only_our_objects(
    connection: asyncpg.Connection,
) -> None:
    rows = await connection.fetch(
        "select proname, proconfig, proacl::text[] as rights from pg_proc "
        "where prosecdef and pronamespace = 'public'::regnamespace"
    )
    assert {row["proname"] for row in rows} == {
        *("record_accesses", "claim_work", "find_key", "users_to_index", "purge_idempotency_keys"),
        *("search_candidates", "earlier_memories", "changed_after", "add_contributions"),
        *("record_outcomes", "claim_job"),
        *("search_candidates", "earlier_memories", "changed_after"),
        *("expired_actions", "clean_answers", "instance_totals", "count_metric_rows"),
        *("take_cells", "purge_rate_limits"),
        *("record_key_uses", "list_organisations"),
        *("purge_history", "purge_metrics", "purge_token_revocations", "refresh_hourly_levels"),
        *("erasures_to_note", "note_erasures", "expired_memories"),
        *("list_data_keys", "rewrap_data_keys"),
        *("chain_audit", "moved_audit_heads"),
    }
    for row in rows:
        assert "search_path=public, pg_temp" in row["proconfig"]
        assert {right.split("=")[0] for right in row["rights"]} == {"pronoia", "pronoia_app"}


async def test_a_scope_of_another_organisation_meets_none_of_its_memories(
    store: PostgresMemoryStore, keys: PostgresKeyStore, filled: Scope
) -> None:
    twin = Scope(uuid4(), filled.user_id)
    await keys.create(key(twin.organisation_id))
    assert (await store.state(twin)).memory_count == 0
    assert (await store.load(twin, "", None)).memories.texts == []
