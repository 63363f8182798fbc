"""The data folder is lost under clients that write, and restored from a backup, or from a base to a point in time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx2
from fault_server import PRONOIA, OwnPostgres, serving, until
from ledger import Outcome, Writers

from pronoia.adapters.backup.encryption import write_new_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ledger import Writer

SECONDS = 30.0
COMMAND_SECONDS = 120


def test_what_was_acknowledged_before_the_point_comes_back_and_the_erased_stay_erased(
    data_folder: Path, tmp_path: Path, seed: int
) -> None:
    home = data_folder.parent
    archive, ledger, key = home / "archive", home / "erasures.jsonl", home / "key"
    write_new_key(key)
    environment = {"PRONOIA_BACKUP_KEY_FILE": str(key), "PRONOIA_WAL_ARCHIVE": str(archive),
                   "PRONOIA_ERASURE_LEDGER": str(ledger)}  # fmt: skip

    def pronoia(*arguments: object) -> Any:
        command = [PRONOIA, *map(str, arguments), "--json"]
        finished = subprocess.run(  # noqa: S603 - our own command
            command, env={**os.environ, **environment}, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
        assert finished.returncode == 0 or not finished.stdout, finished.stderr.decode()
        return json.loads(finished.stdout or json.dumps(finished.stderr.decode()))

    database = OwnPostgres(data_folder, archive=archive)
    with serving(database.url, tmp_path / "log", PRONOIA_ERASURE_LEDGER=str(ledger)) as server:
        with Writers([server.url], [database.key(), database.key()], seed) as writers:
            writers.await_acknowledgements(SECONDS)
            base = home / "base"
            pronoia("backup", "--base", "--to", base, "--data", data_folder)
            writers.await_acknowledgements(SECONDS)
            backed_up = time.monotonic()
            tables = home / "tables"
            pronoia("backup", "--to", tables, "--data", data_folder)
            writers.await_acknowledgements(SECONDS)
            point = time.monotonic()
            moment = database.query("select now() as moment")[0]["moment"]
            writers.await_acknowledgements(SECONDS)
        erased, kept = writers.writers
        answer = httpx2.delete(
            f"{server.url}/api/v1/memories", params={"user_id": erased.user}, headers=erased.headers, timeout=SECONDS
        )
        assert answer.is_success, answer.text
        until(ledger.exists, SECONDS)
    segment = database.query("select pg_walfile_name(pg_switch_wal()) as name")[0]["name"]
    until(lambda: list(archive.rglob(f"{segment}.gz")), SECONDS)
    database.stop()
    shutil.rmtree(data_folder)

    restored = pronoia("restore", "--from", tables, "--data", home / "one")
    assert restored["erasures"]["erased"] == 1
    _check(home / "one", kept, backed_up)
    restored = pronoia("restore", "--from", base, "--data", home / "two", "--to-time", moment.isoformat())
    assert restored["erasures"]["erased"] == 1
    _check(home / "two", kept, point)
    beyond = pronoia("restore", "--from", base, "--data", home / "three", "--to-time", "2100-01-01T00:00:00Z")
    assert "recovery ended before configured recovery target was reached" in beyond
    assert list((home / "three").iterdir()) == []


def _check(data: Path, kept: Writer, point: float) -> None:
    """Hold what was restored to the ledgers: all before the point, and each later write as a whole or not at all."""
    server = OwnPostgres(data)
    try:
        rows = server.query("select user_id, text, array_agg(id::text) as ids from memories group by 1, 2")
    finally:
        server.stop()
    assert {row["user_id"] for row in rows} == {kept.user}
    there = {row["text"]: row["ids"] for row in rows}
    before = [
        entry for entry in kept.ledger if entry.outcome is Outcome.ACKNOWLEDGED and entry.acknowledged_at <= point
    ]
    assert before
    assert [_ids(there, entry.texts) for entry in before] == [entry.ids for entry in before]
    after = [entry for entry in kept.ledger if entry not in before]
    assert after
    assert all(_ids(there, entry.texts) in ([], entry.ids) or not entry.ids for entry in after)
    assert all(len(_ids(there, entry.texts)) in {0, len(entry.texts)} for entry in after)
    assert there.keys() <= {text for entry in kept.ledger for text in entry.texts}


def _ids(there: dict[str, list[str]], texts: Sequence[str]) -> list[str]:
    return [memory_id for text in texts for memory_id in there.get(text, ())]
