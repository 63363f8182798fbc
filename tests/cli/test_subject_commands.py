"""`pronoia subject` on the real store, and the ledger that outlives it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from database_administration import address, administer
from pronoia.config import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Run


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "erasures.jsonl"
    monkeypatch.setenv("PRONOIA_ERASURE_LEDGER", str(path))
    return path


@pytest.fixture
def remember(pronoia: Run, database_url: str, tmp_path: Path) -> Callable[..., None]:
    """Give what stores a text of a user, in this database or another; the users have keys."""
    for user in ("ada", "grace"):
        assert pronoia("keys", "create", "--user", user, "--database-url", database_url).exit_code == 0

    def write(user: str, text: str, url: str = database_url) -> None:
        file = tmp_path / f"{uuid4().hex}.jsonl"
        file.write_text(json.dumps({"text": text}) + "\n")
        assert pronoia("import", str(file), "--user", user, "--database-url", url).exit_code == 0

    return write


@pytest.fixture
def backup(postgres_url: str, database_url: str) -> Iterator[Callable[[], str]]:
    """Give what copies the database as it is now, and gives the URL of the copy."""
    names: list[str] = []

    def copy() -> str:
        names.append(f"copy_{uuid4().hex}")
        source = urlsplit(database_url).path.lstrip("/")
        administer(postgres_url, f"create database {names[-1]} owner pronoia template {source}")
        return address(postgres_url, database=names[-1])

    yield copy
    administer(postgres_url, *(f"drop database {name} with (force)" for name in names))


@pytest.fixture
def erase(pronoia: Run, database_url: str) -> Callable[..., dict[str, Any]]:
    def run(user: str, *options: str) -> dict[str, Any]:
        result = pronoia(
            "subject", "erase", "--user", user, "--yes", "--json", "--database-url", database_url, *options
        )
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def exported(pronoia: Run, url: str, user: str = "ada") -> list[dict[str, Any]]:
    result = pronoia("subject", "export", "--user", user, "--database-url", url)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines(keepends=True)
    manifest = json.loads(lines[-1])
    assert manifest["sha256"] == hashlib.sha256("".join(lines[:-1]).encode()).hexdigest()
    return [json.loads(line) for line in lines[:-1]]


def texts(pronoia: Run, url: str, user: str = "ada") -> list[str]:
    return [one["record"]["text"] for one in exported(pronoia, url, user) if one["type"] == "memories"]


def reapplied(pronoia: Run, url: str, *options: str) -> tuple[int, dict[str, Any]]:
    result = pronoia("subject", "reapply", "--database-url", url, "--json", *options)
    return result.exit_code, json.loads(result.stdout)


def test_an_export_is_a_file_for_its_owner_alone_and_an_erasure_leaves_a_receipt_that_names_nobody(
    pronoia: Run,
    database_url: str,
    remember: Callable[..., None],
    erase: Callable[..., dict[str, Any]],
    ledger: Path,
    tmp_path: Path,
) -> None:
    remember("ada", "Ada drinks tea")
    output = tmp_path / "ada.jsonl"
    done = pronoia("subject", "export", "--user", "ada", "--output", str(output), "--database-url", database_url)
    assert (done.exit_code, output.stat().st_mode & 0o777) == (0, 0o600)
    assert json.loads(output.read_text().splitlines()[-1])["counts"]["memories"] == 1
    receipt = erase("ada", "--vacuum")
    assert (receipt["counts"]["memories"], receipt["counts"]["api_keys"]) == (1, 1)
    assert [json.loads(line) for line in ledger.read_text().splitlines()] == [receipt]
    assert ledger.stat().st_mode & 0o777 == 0o600
    assert "ada" not in ledger.read_text().replace(receipt["subject"], "").replace(receipt["seal"], "")
    assert {one["type"] for one in exported(pronoia, database_url)} == {"forgotten_users"}


def test_an_erasure_is_asked_about_first(pronoia: Run, database_url: str, remember: Callable[..., None]) -> None:
    remember("ada", "Ada drinks tea")
    assert pronoia("subject", "erase", "--user", "ada", "--database-url", database_url).exit_code == 1
    assert texts(pronoia, database_url) == ["Ada drinks tea"]


def test_who_was_erased_stays_so_after_a_restore_and_what_came_after_stays_too(
    pronoia: Run,
    remember: Callable[..., None],
    erase: Callable[..., dict[str, Any]],
    backup: Callable[[], str],
    ledger: Path,
) -> None:
    remember("ada", "Ada drinks tea")
    remember("grace", "Grace keeps bees")
    before = backup()
    receipt = erase("ada")
    remember("ada", "Ada is back")
    after = backup()
    assert texts(pronoia, before) == ["Ada drinks tea"]
    assert reapplied(pronoia, before) == (
        0, {"entries": 1, "erased": 1, "repeated": 0, "unknown": [], "refused": []},
    )  # fmt: skip
    assert texts(pronoia, before) == []
    assert {one["type"] for one in exported(pronoia, before)} == {"forgotten_users"}
    assert texts(pronoia, before, "grace") == ["Grace keeps bees"]
    assert reapplied(pronoia, before)[1]["erased"] == 0
    assert reapplied(pronoia, after)[1]["erased"] == 0
    assert texts(pronoia, after) == ["Ada is back"]
    assert [json.loads(line)["id"] for line in ledger.read_text().splitlines()] == [receipt["id"]]


def test_lines_that_are_no_receipts_of_this_instance_are_named_and_not_applied(
    pronoia: Run,
    remember: Callable[..., None],
    erase: Callable[..., dict[str, Any]],
    backup: Callable[[], str],
    ledger: Path,
) -> None:
    remember("ada", "Ada drinks tea")
    before = backup()
    receipt = erase("ada")
    line = ledger.read_text()
    forged = json.dumps({**receipt, "erased_at": "2030-01-01T00:00:00Z"})
    elsewhere = json.dumps({**receipt, "organisation_id": str(uuid4())})
    ledger.write_text(f"{line[:40]}\n{forged}\n{elsewhere}\n")
    code, found = reapplied(pronoia, before)
    assert (code, found["refused"], found["unknown"], found["erased"]) == (1, [1, 2], [3], 0)
    assert texts(pronoia, before) == ["Ada drinks tea"]
    ledger.write_text(line * 2)
    code, found = reapplied(pronoia, before)
    assert (code, found["repeated"], found["erased"]) == (0, 1, 1)


def test_receipts_that_could_not_be_written_are_written_when_they_can(
    remember: Callable[..., None],
    erase: Callable[..., dict[str, Any]],
    ledger: Path,
) -> None:
    remember("ada", "Ada drinks tea")
    ledger.mkdir()
    first = erase("ada")
    ledger.rmdir()
    # A line that was cut off does not swallow the next.
    ledger.write_text('{"id":"01')
    second = erase("grace")
    torn, *lines = ledger.read_text().splitlines()
    assert torn == '{"id":"01'
    assert [json.loads(line) for line in lines] == [first, second]


def test_the_ledger_of_the_embedded_database_lies_beside_its_folder_and_elsewhere_if_told() -> None:
    assert read_settings({}, data="/srv/pronoia/data").erasure_ledger == "/srv/pronoia/data-erasures.jsonl"
    assert read_settings({}, database_url="postgresql://db/pronoia").erasure_ledger == ""
    told = {"PRONOIA_ERASURE_LEDGER": "/mnt/ledger", "PRONOIA_DATABASE_URL": "postgresql://db/pronoia"}
    assert read_settings(told).erasure_ledger == "/mnt/ledger"
