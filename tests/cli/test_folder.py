from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pronoia.adapters.postgres.folder_lock import FolderLock
from pronoia.config import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from conftest import Run


def test_a_second_server_on_a_folder_says_so_and_exits(pronoia: Run, tmp_path: Path) -> None:
    first = FolderLock(tmp_path / "server.lock")
    assert first.try_alone()
    result = pronoia("serve", "--data", str(tmp_path))
    first.release()
    assert result.exit_code == 3
    assert f"A server already runs on {tmp_path}." in result.stderr


def test_migrate_and_doctor_agree_that_nothing_is_left_to_do(pronoia: Run, tmp_path: Path) -> None:
    place = ("--data", str(tmp_path / "data"), "--json")
    applied = json.loads(pronoia("migrate", *place).stdout)["applied"]
    assert applied[0] == "0001_tables.sql"
    assert json.loads(pronoia("migrate", *place).stdout) == {"applied": []}
    result = pronoia("doctor", *place)
    assert result.exit_code == 0, result.stdout
    assert [check["check"] for check in json.loads(result.stdout)["checks"]] == [
        "settings", "data folder", "database", "pgvector", "role", "migrations",
    ]  # fmt: skip


def test_doctor_names_missing_migrations(pronoia: Run, empty_database_url: str, template: str) -> None:
    assert template, "makes the role"
    result = pronoia("doctor", "--database-url", empty_database_url, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["checks"][-1]["finding"].startswith("run `pronoia migrate` for 0001_tables.sql")


def test_doctor_names_the_variable_that_is_wrong(pronoia: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "PORT", "many")
    result = pronoia("doctor", "--json")
    assert result.exit_code == 3
    assert "port" in json.loads(result.stdout)["checks"][0]["finding"]
