from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from encryption_makers import memory, write_master_key

from pronoia.adapters.master_keys import MasterKeys
from pronoia.adapters.postgres.data_keys import DataKeys, check_master_keys, rotate
from pronoia.adapters.postgres.encryption import PostgresEncryption
from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.config import read_settings
from pronoia.domain.errors import ConfigurationError, EncryptedTextError

if TYPE_CHECKING:
    from pathlib import Path

    from pronoia.adapters.postgres.transactions import Database
    from pronoia.domain.identifiers import Scope

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (b"c2hvcnQ=\n", 0o600, "is not 32 bytes in base64"),
        (b"\xff\xfe", 0o600, "is not 32 bytes in base64"),
        (b"A" * 43 + b"=\n", 0o640, "can be read by others"),
    ],
)
async def test_a_file_that_is_no_private_key_is_refused(
    tmp_path: Path, content: bytes, mode: int, message: str
) -> None:
    file = tmp_path / "master.key"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=message):
        await MasterKeys(files=[file]).read()


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.key cannot be read \(No such file"):
        await MasterKeys(files=[tmp_path / "nowhere.key"]).read()


async def test_a_command_gives_keys_and_is_held_to_its_bounds(key_file: Path) -> None:
    (by_file,) = await MasterKeys(files=[key_file]).read()
    (by_command,) = await MasterKeys(command=f"cat {key_file}").read()
    assert by_command == by_file
    assert repr(by_file) == "MasterKey()"
    for command in ("false", "no-such-program", "true", f"{sys.executable} -c \"print('A' * 5000000)\""):
        with pytest.raises(ConfigurationError, match="must succeed within"):
            await MasterKeys(command=command).read()


async def test_a_key_that_is_missing_is_noticed_at_the_start(
    store: PostgresMemoryStore, database: Database, scope: Scope, key_file: Path, tmp_path: Path
) -> None:
    await check_master_keys(database, None)
    await store.add(scope, [memory("one")], None)
    await check_master_keys(database, MasterKeys(files=[key_file]))
    other = MasterKeys(files=[write_master_key(tmp_path / "other.key")])
    for masters in (None, other):
        with pytest.raises(ConfigurationError, match="which is not configured: set PRONOIA_MASTER_KEY_FILE"):
            await check_master_keys(database, masters)
    with pytest.raises(EncryptedTextError, match="which is not configured"):
        await PostgresMemoryStore(database, resident_limit=100, texts=DataKeys(database, other)).load(scope, "", None)


async def test_after_a_rotation_the_old_key_opens_nothing_and_the_new_one_all(
    store: PostgresMemoryStore, database: Database, texts: DataKeys, scope: Scope, key_file: Path, tmp_path: Path
) -> None:
    one = memory("one")
    await store.add(scope, [one], None)
    new = write_master_key(tmp_path / "new.key")
    assert await rotate(database, MasterKeys(files=[new, key_file])) == 1
    (master,) = await MasterKeys(files=[new]).read()
    (key,) = await PostgresEncryption(database, texts).keys()
    assert (key.organisation_id, key.number, key.master_key_id) == (scope.organisation_id, 1, master.id)
    with pytest.raises(ConfigurationError, match="not configured"):
        await check_master_keys(database, MasterKeys(files=[key_file]))
    afresh = PostgresMemoryStore(database, resident_limit=100, texts=DataKeys(database, MasterKeys(files=[new])))
    assert (await afresh.memory(scope, one.id)).text == "one"
    assert (await store.memory(scope, one.id)).text == "one"  # a process that began before


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("postgresql://a@db.example/p?sslmode=verify-full", True),
        ("postgresql:///p?host=/run/postgresql", True),
        ("", True),
        ("postgresql://a@db.example/p", False),
        ("postgresql://a@db.example/p?sslmode=require", False),
        ("postgresql://a@127.0.0.1/p", False),
        ("postgresql:///p?host=/run/postgresql,db.example", False),
        ("postgresql://a@one,two/p?sslmode=verify-ca", False),
    ],
)
def test_a_database_without_verified_tls_is_refused_where_it_is_required(url: str, *, accepted: bool) -> None:
    assert read_settings({"PRONOIA_DATABASE_URL": url}).database_url == url
    for name in ("DATABASE_URL", "DATABASE_DIRECT_URL"):
        environment = {f"PRONOIA_{name}": url, "PRONOIA_DATABASE_REQUIRE_TLS": "true"}
        if accepted:
            read_settings(environment)
        else:
            with pytest.raises(ConfigurationError, match=f"PRONOIA_{name}: .*verify-full"):
                read_settings(environment)


def test_an_authority_that_is_not_there_is_named_and_one_that_is_there_is_taken(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    environment = {"PRONOIA_DATABASE_URL": f"postgresql://a@db.example/p?sslmode=verify-full&sslrootcert={authority}"}
    with pytest.raises(ConfigurationError, match=f"PRONOIA_DATABASE_URL: there is no file {authority}"):
        read_settings(environment)
    authority.touch()
    read_settings({**environment, "PRONOIA_DATABASE_REQUIRE_TLS": "true"})
