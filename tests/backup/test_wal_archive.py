from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from pronoia.adapters.postgres.wal_archive import archive_settings, restore_setting

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT = "000000010000000000000007"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "it's 100% \\ mine"
    folder.mkdir()
    return folder


def run(setting: str, file: Path) -> int:
    """Do what PostgreSQL does with a command of its settings."""
    (text,) = re.findall(r"_command = '(.*)'$", setting, re.MULTILINE)
    command = text.replace("''", "'").replace("\\\\", "\\")
    names = {"%p": str(file), "%f": SEGMENT, "%%": "%"}
    command = re.sub("%[pf%]", lambda match: names[match.group()], command)
    return subprocess.run(["/bin/sh", "-c", command], timeout=20, check=False).returncode  # noqa: S603 - what is tested


def test_a_file_is_archived_once_and_comes_back_as_it_was(archive: Path, tmp_path: Path) -> None:
    written, fetched = tmp_path / "written", tmp_path / "fetched"
    written.write_bytes(bytes(range(256)) * 1000)
    assert run(archive_settings(archive), written) == 0
    assert run(archive_settings(archive), written) == 0, "archived before a crash, and asked for again"
    assert [file.name for file in archive.iterdir()] == [f"{SEGMENT}.gz"]
    assert run(restore_setting(archive), fetched) == 0
    assert fetched.read_bytes() == written.read_bytes()


def test_another_file_of_the_same_name_is_never_overwritten(archive: Path, tmp_path: Path) -> None:
    written, other, fetched = tmp_path / "written", tmp_path / "other", tmp_path / "fetched"
    written.write_bytes(b"first")
    other.write_bytes(b"second")
    assert run(archive_settings(archive), written) == 0
    assert run(archive_settings(archive), other) != 0
    assert run(restore_setting(archive), fetched) == 0
    assert fetched.read_bytes() == b"first"


def test_what_cannot_be_archived_or_is_not_there_is_reported(archive: Path, tmp_path: Path) -> None:
    assert run(archive_settings(archive / "missing"), tmp_path) != 0
    assert run(restore_setting(archive), tmp_path / "fetched") != 0
