from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncpg
import msgspec
import pytest
from encryption_makers import NOW, memory

from pronoia.adapters.postgres.cache_tier import PostgresCacheTier
from pronoia.adapters.postgres.encryption import PlainRows, PostgresEncryption
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.quarantine_store import PostgresQuarantineStore
from pronoia.adapters.postgres.ranking_store import PostgresRankingStore
from pronoia.adapters.postgres.subject_store import PostgresSubjectStore
from pronoia.domain.errors import EncryptedTextError, InvalidInputError
from pronoia.domain.identifiers import ENCRYPTED_MARK, Scope, new_id
from pronoia.domain.maintenance import MaintenanceAction, MaintenanceKind
from pronoia.domain.records import Filters, Idempotency, MemoryChanges
from pronoia.ports.cache_tier import CacheEntry
from pronoia.ports.learning_stores import RankingExample
from pronoia.ports.quarantine_store import Selection
from pronoia.resilience.clock import SystemClock
from pronoia.services.drafts import check_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pronoia.adapters.postgres.data_keys import DataKeys
    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio

CANARY = "Zebrafinken singen Ünïcode"


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection of the tables' owner."""
    connection = await asyncpg.connect(database_url, timeout=10)
    yield connection
    await connection.close()


async def _everything(owner: asyncpg.Connection) -> str:
    names = await owner.fetch("select tablename as name from pg_tables where schemaname = 'public'")
    tables = [await owner.fetchval(f"select json_agg(t)::text from {row['name']} t") for row in names]  # noqa: S608 - ours
    outcomes = await owner.fetch(
        "select convert_from(outcome, 'UTF8') as outcome from idempotency_keys "
        "union all select convert_from(value, 'UTF8') from shared_answers "
        "union all select convert_from(value, 'UTF8') from kept_answers"
    )
    return "\n".join([*(table or "" for table in tables), *(row["outcome"] for row in outcomes)])


async def _keep_answers(database: Database, scope: Scope) -> None:
    for shared in (True, False):
        tier = PostgresCacheTier(
            database, name="", shared=shared, lifetime_seconds=9, clean_seconds=9, maximum_keys=9, clock=SystemClock()
        )
        await tier.put(scope, b"key", CacheEntry(CANARY.encode(), time.time() + 60))
        assert await tier.get(scope, b"key") is not None


async def test_no_table_holds_a_text_and_every_way_of_reading_gives_it(
    store: PostgresMemoryStore, database: Database, texts: DataKeys, scope: Scope, owner: asyncpg.Connection
) -> None:
    one, once = memory(f"{CANARY} one"), Idempotency("key", b"hash")
    assert (await store.add(scope, [one], once)).memories[0].text == f"{CANARY} one"
    assert (await store.add(scope, [one], once)).memories[0].text == f"{CANARY} one"
    change, again = MemoryChanges(text=f"{CANARY} two", terms=b""), Idempotency("key 2", b"hash")
    for _ in range(2):
        assert (await store.update(scope, one.id, change, NOW, again)).memories[0].text == f"{CANARY} two"
    ranking = PostgresRankingStore(database, texts=texts)
    await ranking.add(scope, RankingExample(new_id(NOW), CANARY, one.id, (), helpful=True, strength=1.0), keep=5)

    assert (await store.memory(scope, one.id)).text == f"{CANARY} two"
    assert [found.text for found in (await store.page(scope, Filters(), None, 0, 10))[0]] == [f"{CANARY} two"]
    assert (await store.load(scope, "", None)).memories.texts == [f"{CANARY} two"]
    history = [(one.old_text, one.new_text) for one in await store.history(scope, one.id)]
    assert history == [(None, f"{CANARY} one"), (f"{CANARY} one", f"{CANARY} two")]
    assert [example.query for example in await ranking.examples(scope)] == [CANARY]
    subject = PostgresSubjectStore(database, direct_url="", texts=texts)
    records = [msgspec.json.decode(record) async for some in subject.records(scope) for _, record in some]
    assert str(records).count(CANARY) == 6  # the memory, two of a revision, an example, two outcomes

    stored = await _everything(owner)
    assert "Zebrafinken" not in stored
    assert stored.count("pronoia:1:") == 6


async def test_a_user_above_the_resident_limit_is_read_as_well(
    database: Database, texts: DataKeys, scope: Scope
) -> None:
    store = PostgresMemoryStore(database, resident_limit=0, texts=texts)
    one = memory(CANARY)
    await store.add(scope, [one], None)
    assert (await store.neighbourhood(scope, "", one.id, steps=1, edges=5, limit=5)).memories.texts == [CANARY]


async def test_duplicates_are_recognised_within_a_user_and_nowhere_else(
    store: PostgresMemoryStore, scope: Scope, owner: asyncpg.Connection
) -> None:
    first, other, repeated, together = memory(CANARY), memory("else"), memory(CANARY), memory(CANARY)
    await store.add(scope, [first, other], None)
    written = await store.add(scope, [repeated, together], None)
    assert [found.duplicate_of for found in written.memories] == [first.id, first.id]
    bob = Scope(scope.organisation_id, "bob")
    assert (await store.add(bob, [memory(CANARY)], None)).memories[0].duplicate_of is None
    digests = await owner.fetch("select distinct user_id, text_identity(text) from memories")
    assert len(digests) == 3
    unchanged = await store.update(scope, repeated.id, MemoryChanges(text=CANARY, terms=b""), NOW, None)
    assert unchanged.memories[0].duplicate_of == first.id
    assert [one.old_text for one in await store.history(scope, repeated.id)] == [None, None]


async def test_a_changed_or_moved_text_is_refused(
    store: PostgresMemoryStore, scope: Scope, owner: asyncpg.Connection
) -> None:
    one, two = memory("one"), memory("two")
    await store.add(scope, [one, two], None)
    stored = {row["id"]: row["text"] for row in await owner.fetch("select id, text from memories")}
    middle = len(stored[one.id]) // 2
    changed = "A" if stored[one.id][middle] != "A" else "B"
    wrong = (stored[two.id], stored[one.id][:middle] + changed + stored[one.id][middle + 1 :], stored[one.id][:-4])
    for text in (*wrong, ENCRYPTED_MARK, f"{ENCRYPTED_MARK}not base64"):
        await owner.execute("update memories set text = $1 where id = $2", text, one.id)
        with pytest.raises(EncryptedTextError, match="cannot be decrypted"):
            await store.memory(scope, one.id)
        with pytest.raises(EncryptedTextError, match="cannot be decrypted"):
            await store.load(scope, "", None)
    await owner.execute("update memories set text = $1 where id = $2", stored[one.id], one.id)
    assert (await store.memory(scope, one.id)).text == "one"


async def test_without_a_key_nothing_encrypted_is_given(
    store: PostgresMemoryStore, database: Database, scope: Scope
) -> None:
    one = memory("one")
    await store.add(scope, [one], None)
    plain = PostgresMemoryStore(database, resident_limit=100)
    with pytest.raises(EncryptedTextError, match="no master key"):
        await plain.memory(scope, one.id)
    with pytest.raises(EncryptedTextError, match="no master key"):
        await plain.load(scope, "", None)


async def test_what_was_stored_before_is_encrypted_in_batches_and_read_meanwhile(
    store: PostgresMemoryStore, database: Database, texts: DataKeys, scope: Scope, owner: asyncpg.Connection
) -> None:
    plain = PostgresMemoryStore(database, resident_limit=100)
    old = [memory(f"{CANARY} {number}") for number in range(250)]
    await plain.add(scope, old, None)
    await plain.update(scope, old[0].id, MemoryChanges(text=f"{CANARY} new", terms=b""), NOW, None)
    example = RankingExample(new_id(NOW), CANARY, old[1].id, (), helpful=True, strength=1.0)
    await PostgresRankingStore(database).add(scope, example, keep=5)
    expected = [f"{CANARY} new", *(one.text for one in old[1:])]
    await _keep_answers(database, scope)
    encryption = PostgresEncryption(database, texts)
    assert await encryption.plain(scope.organisation_id) == PlainRows(250, 1, 1)
    counts: list[int] = []
    async for count in encryption.encrypt(scope.organisation_id):
        counts.append(count)
        assert (await store.load(scope, "", None)).memories.texts == expected
    assert counts == [200, 50, 0, 1, 0, 1, 0]
    assert (await encryption.plain(scope.organisation_id)).total == 0
    assert "Zebrafinken" not in await _everything(owner)
    history = [(one.old_text, one.new_text) for one in await store.history(scope, old[0].id)]
    assert history == [(None, f"{CANARY} 0"), (f"{CANARY} 0", f"{CANARY} new")]
    assert (await store.add(scope, [memory(f"{CANARY} 7")], None)).memories[0].duplicate_of == old[7].id


async def test_a_quarantined_text_is_read_as_well(database: Database, texts: DataKeys, scope: Scope) -> None:
    store = PostgresQuarantineStore(database, resident_limit=100, texts=texts)
    one = memory(CANARY)
    await store.add(scope, [one], None)
    action = MaintenanceAction(new_id(NOW), MaintenanceKind.QUARANTINE, NOW)
    await store.take(scope, action, Selection(memory_ids=(one.id,)), 10, None, None)
    assert [found.text for found in await store.quarantined(scope, None, 10)] == [CANARY]


def test_no_given_text_may_begin_as_an_encrypted_one() -> None:
    with pytest.raises(InvalidInputError, match="text must not begin with the mark"):
        check_text(f"{ENCRYPTED_MARK}abc", "text", 100)
    check_text(f"a {ENCRYPTED_MARK}", "text", 100)
