"""Whoever adds a table of people has to say what an export and an erasure do with it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest
from store_makers import NOW, erasure, key, memory
from test_row_security import connection, filled  # noqa: F401 - fixtures

from database_administration import address
from pronoia.adapters.postgres.subject_store import PostgresSubjectStore
from pronoia.domain.erasures import is_sealed, subject_digest
from pronoia.domain.identifiers import Scope
from pronoia.domain.records import Access, AccessKind

if TYPE_CHECKING:
    from pronoia.adapters.postgres.access_log import PostgresAccessLog
    from pronoia.adapters.postgres.key_store import PostgresKeyStore
    from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio

NOT_EXPORTED = {
    "shared_answers": "answers computed from the other tables, dropped within ten minutes and at every change",
    "kept_answers": "answers computed from the other tables, dropped within an hour and at every change",
}
"""Tables with rows of users that an export leaves out, each with the reason."""
SECRETS = {"api_keys": {"secret_hash", "previous_secret_hash"}}
"""Columns that an export leaves out."""
COLUMNS_OF_PEOPLE = """
    select c.relname as name, array_agg(a.attname::text) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
    group by c.relname
    having bool_or(a.attname = 'user_id')
"""


@pytest.fixture
def subjects(database: Database, database_url: str) -> PostgresSubjectStore:
    return PostgresSubjectStore(database, direct_url=database_url)


@pytest.fixture
async def person(filled: Scope, keys: PostgresKeyStore) -> Scope:  # noqa: F811 - a fixture
    """Give a user with a row in every table that has rows of users."""
    await keys.create(key(filled.organisation_id, user_id=filled.user_id))
    return filled


async def _tables_of_people(connection: asyncpg.Connection) -> dict[str, set[str]]:  # noqa: F811 - a fixture
    tables = {row["name"]: set(row["columns"]) for row in await connection.fetch(COLUMNS_OF_PEOPLE)}
    assert len(tables) > 15
    return tables


async def _rows_of(connection: asyncpg.Connection, table: str, scope: Scope) -> int:  # noqa: F811 - a fixture
    query = f"select count(*) from {table} where organisation_id = $1 and user_id = $2"  # noqa: S608 - of the catalogue
    return await connection.fetchval(query, scope.organisation_id, scope.user_id)


async def _records(subjects: PostgresSubjectStore, scope: Scope) -> list[tuple[str, dict[str, object]]]:
    return [(kind, json.loads(text)) async for some in subjects.records(scope) for kind, text in some]


async def test_every_row_and_column_of_a_person_is_exported_but_for_what_is_left_out_with_a_reason(
    subjects: PostgresSubjectStore,
    person: Scope,
    connection: asyncpg.Connection,  # noqa: F811 - a fixture
) -> None:
    records = await _records(subjects, person)
    given = Counter(kind for kind, _ in records)
    columns: dict[str, set[str]] = {}
    for kind, record in records:
        columns.setdefault(kind, set()).update(record)
    for table, its_columns in (await _tables_of_people(connection)).items():
        held = await _rows_of(connection, table, person)
        assert held, f"The fixture `filled` puts nothing into {table}."
        if table in NOT_EXPORTED:
            assert table not in given
        else:
            assert (table, given[table]) == (table, held)
            assert columns[table] == its_columns - SECRETS.get(table, set())


async def test_an_export_holds_nobody_elses_rows(
    subjects: PostgresSubjectStore, store: PostgresMemoryStore, person: Scope
) -> None:
    other = Scope(person.organisation_id, "grace")
    await store.add(other, [memory("What Grace says")], None)
    assert {record.get("user_id", "ada") for _, record in await _records(subjects, person)} == {"ada"}
    assert {kind for kind, _ in await _records(subjects, other)} == {"users", "memories", "work", "audit_log"}
    assert await _records(subjects, Scope(person.organisation_id, "nobody")) == []


async def test_after_an_erasure_no_table_has_a_row_of_the_person_and_the_receipt_has_counted_them_all(
    store: PostgresMemoryStore,
    person: Scope,
    connection: asyncpg.Connection,  # noqa: F811 - a fixture
) -> None:
    tables = await _tables_of_people(connection)
    held = {table: await _rows_of(connection, table, person) for table in tables}
    assert all(held.values()), held
    forgotten = await store.forget(person, None, erasure(keys=True))
    assert forgotten.receipt.counts == held
    left = {table: await _rows_of(connection, table, person) for table in tables}
    assert left == dict.fromkeys(tables, 0)
    secret = await connection.fetchval("select erasure_key from organisations")
    assert is_sealed(secret, forgotten.receipt)
    assert forgotten.receipt.subject == subject_digest(secret, person)
    assert not is_sealed(b"another", forgotten.receipt)


async def test_keys_that_name_a_person_are_revoked_and_lose_the_name_and_other_keys_stay(
    store: PostgresMemoryStore, keys: PostgresKeyStore, person: Scope
) -> None:
    other = key(person.organisation_id, user_id="grace")
    await keys.create(other)
    forgotten = await store.forget(person, None, erasure(keys=True))
    by_id = {one.id: one for one in await keys.listed(person.organisation_id, None, 10)}
    (gone,) = forgotten.keys
    assert by_id[gone].revoked_at == NOW
    assert by_id[gone].user_id.startswith("forgotten:")
    assert by_id[other.id] == other


async def test_an_erasure_that_is_done_again_leaves_what_is_newer_with_its_uses_and_counts(
    store: PostgresMemoryStore,
    accesses: PostgresAccessLog,
    keys: PostgresKeyStore,
    subjects: PostgresSubjectStore,
    scope: Scope,
) -> None:
    old, new = memory("old", created_at=NOW), memory("new", created_at=NOW + timedelta(days=2))
    await store.add(scope, [old, new], None)
    await accesses.record([Access(scope, one.id, AccessKind.GET, NOW + timedelta(days=3)) for one in (old, new)])
    old_key = key(scope.organisation_id, user_id="ada")
    new_key = key(scope.organisation_id, user_id="ada", created_at=NOW + timedelta(days=2))
    for one in (old_key, new_key):
        await keys.create(one)
    again = erasure(at=NOW + timedelta(days=1), keys=True, older_only=True)
    forgotten = await store.forget(scope, None, again)
    assert forgotten.keys == (old_key.id,)
    state = await store.state(scope)
    assert (state.memory_count, state.version) == (1, forgotten.version)
    loaded = await store.load(scope, "", None)
    assert loaded.memories.texts == ["new"]
    kinds = Counter(kind for kind, _ in await _records(subjects, scope))
    assert (kinds["memories"], kinds["accesses"], kinds["api_keys"]) == (1, 1, 1)


async def test_statistics_of_the_planner_hold_no_text_of_anybody(
    store: PostgresMemoryStore, person: Scope, database_url: str
) -> None:
    texts = [memory(f"Canary {number}", speaker="Canary", agent_id="Canary", session_id="Canary") for number in "abc"]
    await store.add(person, texts, None)
    everybody = await asyncpg.connect(address(database_url, user="postgres"), timeout=10)
    await everybody.execute("analyze")
    rows = await everybody.fetch("select tablename, attname from pg_stats where pg_stats::text ilike '%canary%'")
    kept = await everybody.fetchval("select count(*) from pg_stats where tablename = 'memories'")
    await everybody.close()
    assert [tuple(row) for row in rows] == []
    assert kept > 5


async def test_what_is_being_added_while_a_person_is_forgotten_goes_with_them(
    store: PostgresMemoryStore,
    person: Scope,
    connection: asyncpg.Connection,  # noqa: F811 - a fixture
    database_url: str,
) -> None:
    watcher = await asyncpg.connect(database_url, timeout=10)
    adding = connection.transaction()
    await adding.start()
    await connection.execute(
        "insert into learning_runs (organisation_id, user_id, job, activity, last_run, runs, relationships_created) "
        "values ($1, $2, 'another', 1, now(), 1, 0)",
        person.organisation_id,
        person.user_id,
    )
    forgetting = asyncio.create_task(store.forget(person, None, erasure()))
    while not await watcher.fetchval("select exists (select from pg_locks where not granted)"):  # noqa: ASYNC110 - the server tells only when asked
        await asyncio.sleep(0.01)
    await adding.commit()
    await asyncio.wait_for(forgetting, 10)
    assert await _rows_of(connection, "learning_runs", person) == 0
    await watcher.close()
