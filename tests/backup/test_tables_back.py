"""`pronoia backup`, `restore` and `backup verify` on real databases."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import msgspec
import numpy as np
import pytest

from database_administration import administer
from pronoia.adapters.backup.encryption import read_key, write_new_key
from pronoia.adapters.backup.folder import Backup, BackupWriter, Manifest
from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.adapters.postgres.migrations import Migration, known_migrations, migrate
from pronoia.adapters.postgres.table_copies import NOT_COPIED, measure_tables
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.audit import NO_ORGANISATION
from pronoia.domain.identifiers import Scope, new_id
from pronoia.domain.records import Feedback, Idempotency, NewMemory, Relationship, RelationshipType, Vector

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, Any]]

SECONDS = 20
SCOPE = Scope(uuid4(), "ada\u00e9")
NOW = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)


def query(url: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url, timeout=SECONDS)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    return asyncio.run(run())


def measured(url: str) -> dict[str, tuple[int, str]]:
    return asyncio.run(measure_tables(url, lambda _: None))


async def _fill(url: str) -> None:
    """Write values of every kind through the store: vectors, text that no two collations order alike, json, nulls."""
    database = await Database.open(url, connections=2, timeout_seconds=SECONDS)
    store = PostgresMemoryStore(database, resident_limit=2)
    numbers = np.random.default_rng(7).normal(size=(3, 256)).astype("<f4")
    memories = [
        NewMemory(
            new_id(NOW), text, "api", "p", ("\u00e4", "b"), '{"z":1,"a":[null]}', "s", None, None, None, NOW,
            bytes([1, 0, 0, 0]), Vector("model/256", row.tobytes()),
        )
        for text, row in zip(("tea\n\t\\N", "\u00e9t\u00e9 \U0001f375", "Tea"), numbers, strict=True)
    ]  # fmt: skip
    await store.add(SCOPE, memories, Idempotency("key", b"hash"))
    await store.judge(SCOPE, memories[0].id, Feedback(True, "x", 0.1 + 0.2, NOW), None)
    await store.relate(
        SCOPE,
        Relationship(new_id(NOW), memories[0].id, memories[1].id, RelationshipType.FOLLOWS, 1 / 3, "then", NOW),
        None,
    )
    await store.delete(SCOPE, memories[2].id, NOW, None)
    await database.close()


async def _chain(url: str) -> None:
    database = await Database.open(url, connections=2, timeout_seconds=SECONDS)
    await PostgresAuditStore(database).chain(1_000)
    await database.close()


@pytest.fixture
def filled(database_url: str) -> str:
    query(database_url, "insert into organisations (organisation_id) values ($1)", SCOPE.organisation_id)
    asyncio.run(_fill(database_url))
    return database_url


@pytest.fixture
def folder(filled: str, pronoia: Run, tmp_path: Path) -> Path:
    """Give a backup of the filled database."""
    code, report = pronoia("backup", "--to", tmp_path / "backup", "--database-url", filled)
    assert (code, report["rows"]["memories"], report["kind"]) == (0, 2, "tables")
    return tmp_path / "backup"


def altered(folder: Path, key_file: Path, change: Callable[[Manifest], Manifest]) -> Path:
    """Write the manifest of a backup anew, as somebody with the key could."""
    key, other = read_key(key_file), folder.with_name("altered")
    manifest = Backup(folder, key).manifest
    writer = BackupWriter(other, key)
    writer.finish(change(manifest))
    for part in manifest.parts:
        shutil.copy(folder / part.name, other)
    return other


def test_every_row_comes_back_bit_by_bit_with_vectors_and_row_security(
    filled: str, folder: Path, pronoia: Run, empty_database_url: str
) -> None:
    forced = "select relname, relforcerowsecurity from pg_class where relkind = 'r' and relrowsecurity order by 1"
    indexes = "select indexdef from pg_indexes where schemaname = 'public' order by 1"
    samples = """select attrelid::regclass::text, attname from pg_attribute
        where attstattarget >= 0 and attrelid >= 16384 order by 1, 2"""
    vectors = "select id, halfvec_send(embedding) from memories order by id"
    before = measured(filled)
    code, report = pronoia("restore", "--from", folder, "--database-url", empty_database_url)
    assert (code, report["migrated"], report["rows"]) == (0, [], {name: rows for name, (rows, _) in before.items()})
    after = measured(empty_database_url)
    # The restore is told of.
    assert after.pop("audit_log")[0] == before.pop("audit_log")[0] + 1
    assert after == before
    assert before["memories"][0] == 2
    assert query(empty_database_url, vectors) == query(filled, vectors)
    assert query(empty_database_url, forced) == query(filled, forced)
    assert query(empty_database_url, indexes) == query(filled, indexes)
    assert query(empty_database_url, samples) == query(filled, samples)


def test_a_backup_and_its_restore_are_told_to_the_audit_log_whose_chain_goes_on(
    filled: str, pronoia: Run, tmp_path: Path, empty_database_url: str
) -> None:
    asyncio.run(_chain(filled))
    assert pronoia("backup", "--to", tmp_path / "backup", "--database-url", filled)[0] == 0
    assert pronoia("restore", "--from", tmp_path / "backup", "--database-url", empty_database_url)[0] == 0
    for url, acts in ((filled, ["backup_begun"]), (empty_database_url, ["backup_begun", "database_restored"])):
        asyncio.run(_chain(url))
        code, report = pronoia("audit", "verify", "--database-url", url)
        assert (code, report["waiting"], report["findings"]) == (0, 0, [])
        told = query(
            url,
            "select action, actor, outcome from audit_log where organisation_id = $1 and actor <> 'system' "
            "order by number",
            NO_ORGANISATION,
        )
        assert [tuple(row) for row in told] == [(act, "command", "succeeded") for act in acts]


def test_a_role_that_only_reads_backs_up_and_says_that_the_audit_log_is_not_told(
    filled: str, pronoia: Run, tmp_path: Path
) -> None:
    reader = f"reader_{uuid4().hex}"
    administer(
        filled,
        f"create role {reader} bypassrls",
        f"grant pg_read_all_data to {reader}",
        f"grant {reader} to pronoia",
    )
    try:
        before = query(filled, "select count(*) from audit_log")
        code, report = pronoia("backup", "--to", tmp_path / "backup", "--database-url", f"{filled}&role={reader}")
        assert (code, report["rows"]["memories"]) == (0, 2)
        assert query(filled, "select count(*) from audit_log") == before
    finally:
        administer(filled, f"drop owned by {reader}", f"drop role {reader}")


def test_every_lasting_table_is_backed_up_or_named_as_one_that_is_not(
    folder: Path, key_file: Path, filled: str
) -> None:
    lasting = query(
        filled,
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' "
        "and relpersistence = 'p'",
    )
    copied = {table.name for table in Backup(folder, read_key(key_file)).manifest.tables}
    assert {row["relname"] for row in lasting} == copied | set(NOT_COPIED)
    assert not copied & set(NOT_COPIED)


def test_nothing_of_a_backup_can_be_read_or_entered_without_its_key(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert not [word for word in (b"tea", b"ada", b"memories") if word in file.read_bytes()]


def test_a_verification_restores_compares_and_leaves_nothing(
    folder: Path, pronoia: Run, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(data_folder))
    code, report = pronoia("backup", "verify", folder)
    assert (code, report["differences"], report["rows"]["memories"]) == (0, [], 2)
    assert list(data_folder.iterdir()) == []


def test_a_verification_names_the_table_that_came_back_otherwise(folder: Path, key_file: Path, pronoia: Run) -> None:
    def change(manifest: Manifest) -> Manifest:
        tables = [
            msgspec.structs.replace(table, digest="0" * 64) if table.name == "memories" else table
            for table in manifest.tables
        ]
        return msgspec.structs.replace(manifest, tables=tables)

    code, report = pronoia("backup", "verify", altered(folder, key_file, change))
    assert code == 1
    assert [difference.split(":")[0] for difference in report["differences"]] == ["memories"]


def test_damage_is_refused_by_name_before_anything_is_written(
    folder: Path, pronoia: Run, empty_database_url: str
) -> None:
    def refusal() -> str:
        code, said = pronoia("restore", "--from", folder, "--database-url", empty_database_url)
        assert code == 1
        assert query(empty_database_url, "select from pg_class where relname = 'memories'") == []
        return said

    part = folder / "memories.rows"
    whole = part.read_bytes()
    part.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    assert "memories.rows is damaged: its SHA-256 is not that of the manifest" in refusal()
    part.write_bytes(whole[:-1])
    assert f"memories.rows is damaged: it has {len(whole) - 1} bytes, not {len(whole)}" in refusal()
    part.write_bytes((folder / "users.rows").read_bytes())
    assert "memories.rows is damaged" in refusal()
    part.unlink()
    assert "memories.rows cannot be read" in refusal()
    part.write_bytes(whole)
    manifest = folder / "manifest"
    kept = manifest.read_bytes()
    manifest.write_bytes(kept[:-1])
    assert "manifest is damaged" in refusal()
    manifest.unlink()
    assert "no backup, or one that was not finished" in refusal()
    manifest.write_bytes(kept)
    code, _ = pronoia("restore", "--from", folder, "--database-url", empty_database_url)
    assert code == 0


def test_another_key_and_no_key_are_told_apart_from_damage(
    folder: Path, pronoia: Run, empty_database_url: str, tmp_path: Path, key_file: Path
) -> None:
    write_new_key(tmp_path / "other")
    restore = ("restore", "--from", folder, "--database-url", empty_database_url)
    code, said = pronoia(*restore, "--key-file", tmp_path / "other")
    assert (code, "encrypted with another key" in said) == (3, True)
    key_file.unlink()
    code, said = pronoia(*restore)
    assert (code, "holds no key" in said) == (3, True)


def test_only_what_is_empty_is_restored_into(folder: Path, filled: str, pronoia: Run, data_folder: Path) -> None:
    before = measured(filled)
    code, said = pronoia("restore", "--from", folder, "--database-url", filled)
    assert (code, "The database is not empty" in said) == (3, True)
    assert measured(filled) == before
    data_folder.mkdir()
    (data_folder / "note").write_text("mine")
    code, said = pronoia("restore", "--from", folder, "--data", data_folder)
    assert (code, "is not empty. Restore into a new folder" in said) == (3, True)
    assert [child.name for child in data_folder.iterdir()] == ["note"]
    code, said = pronoia("backup", "--to", folder, "--database-url", filled)
    assert (code, "Give each backup a folder of its own" in said) == (3, True)


def test_a_restore_that_fails_half_way_leaves_nothing_behind(
    folder: Path, key_file: Path, pronoia: Run, empty_database_url: str, data_folder: Path
) -> None:
    def change(manifest: Manifest) -> Manifest:
        tables = [
            msgspec.structs.replace(table, rows=table.rows + 1) if table.name == "relationships" else table
            for table in manifest.tables
        ]
        return msgspec.structs.replace(manifest, tables=tables)

    other = altered(folder, key_file, change)
    for target in (("--database-url", empty_database_url), ("--data", data_folder)):
        code, said = pronoia("restore", "--from", other, *target)
        assert (code, "relationships has 1 rows, not 2" in said) == (1, True)
    assert query(empty_database_url, "select from pg_class where relname = 'memories'") == []
    assert list(data_folder.iterdir()) == []


def test_a_backup_of_an_older_schema_is_brought_to_this_version(
    empty_database_url: str, pronoia: Run, tmp_path: Path, data_folder: Path
) -> None:
    asyncio.run(migrate(empty_database_url, migrations=known_migrations()[:-1]))
    query(empty_database_url, "insert into organisations (organisation_id) values ($1)", SCOPE.organisation_id)
    assert pronoia("backup", "--to", tmp_path / "backup", "--database-url", empty_database_url)[0] == 0
    code, report = pronoia("restore", "--from", tmp_path / "backup", "--data", data_folder)
    assert (code, report["migrated"]) == (0, [known_migrations()[-1].name])
    code, report = pronoia("backup", "--to", tmp_path / "again", "--data", data_folder)
    assert (code, report["rows"]["organisations"], report["schema"]) == (0, 1, known_migrations()[-1].name)


def test_a_backup_of_a_newer_version_is_refused(database_url: str, pronoia: Run, tmp_path: Path) -> None:
    number = known_migrations()[-1].number + 1
    text = "create table extra (id integer primary key)"
    newer = Migration(number, f"{number:04}_newer.sql", hashlib.sha256(text.encode()).digest(), text)
    asyncio.run(migrate(database_url, migrations=[*known_migrations(), newer]))
    code, report = pronoia("backup", "--to", tmp_path / "backup", "--database-url", database_url)
    assert (code, report["rows"]["extra"]) == (0, 0)
    code, said = pronoia("restore", "--from", tmp_path / "backup", "--data", tmp_path / "data")
    assert (code, f"migrated by a newer Pronoia (it has {newer.name})" in said) == (3, True)
    assert not (tmp_path / "data").exists()


def test_numbers_that_a_column_gives_itself_go_on_behind_those_that_came_back(
    database_url: str, pronoia: Run, tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = known_migrations()[-1].number + 1
    text = "create table counted (id integer generated always as identity primary key, name text)"
    counting = Migration(number, f"{number:04}_counted.sql", hashlib.sha256(text.encode()).digest(), text)
    known = [*known_migrations(), counting]
    asyncio.run(migrate(database_url, migrations=known))
    query(database_url, "insert into counted (name) values ('a'), ('b'), ('c')")
    monkeypatch.setattr("pronoia.adapters.postgres.table_copies.known_migrations", lambda: known)
    monkeypatch.setattr("pronoia.adapters.postgres.migrations.known_migrations", lambda: known)
    assert pronoia("backup", "--to", tmp_path / "backup", "--database-url", database_url)[0] == 0
    assert pronoia("restore", "--from", tmp_path / "backup", "--database-url", empty_database_url)[0] == 0
    query(empty_database_url, "insert into counted (name) values ('d')")
    assert [row["id"] for row in query(empty_database_url, "select id from counted order by id")] == [1, 2, 3, 4]


def test_a_role_that_does_not_see_every_row_cannot_back_up(filled: str, pronoia: Run, tmp_path: Path) -> None:
    query(filled, "drop policy owner on memories")
    code, said = pronoia("backup", "--to", tmp_path / "backup", "--database-url", filled)
    assert (code, "This role does not see all rows of memories" in said) == (3, True)
    code, said = pronoia("restore", "--from", tmp_path / "backup", "--data", tmp_path / "data")
    assert (code, "not finished" in said) == (1, True)


def test_a_database_without_a_schema_cannot_be_backed_up(empty_database_url: str, pronoia: Run, tmp_path: Path) -> None:
    code, said = pronoia("backup", "--to", tmp_path / "backup", "--database-url", empty_database_url)
    assert (code, "There is nothing to back up here" in said) == (3, True)


@pytest.mark.parametrize("time", ["yesterday", "2026-11-25T14:00:00", "2026-11-25T14:00:00Z"])
def test_a_time_without_a_zone_is_refused_and_so_is_any_time_for_a_backup_of_one_moment(
    folder: Path, pronoia: Run, data_folder: Path, time: str
) -> None:
    code, said = pronoia("restore", "--from", folder, "--data", data_folder, "--to-time", time)
    assert (code, said.count("of one moment") == 1) == ((3, True) if time.endswith("Z") else (2, False))
