"""The disk under PostgreSQL fills up while clients write, and is freed again."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx2
import pytest
from fault_server import OwnPostgres, serving, until
from ledger import Writers, check

if TYPE_CHECKING:
    from collections.abc import Iterator

DISK_MEBIBYTES = 160
LEFT_BYTES = 6 << 20
FILL_BYTES = 1 << 20
FULL_SECONDS = 30.0
RECOVERY_SECONDS = 20.0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a disk of memory. Only root may."""
    with TemporaryDirectory(prefix="pronoia-disk-") as folder:
        subprocess.run(  # noqa: S603 - our own arguments
            ["/usr/bin/mount", "-t", "tmpfs", "-o", f"size={DISK_MEBIBYTES}m", "tmpfs", folder], check=True, timeout=10
        )
        try:
            yield Path(folder)
        finally:
            subprocess.run(["/usr/bin/umount", "--lazy", folder], check=True, timeout=10)  # noqa: S603 - the same


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_refuses_writes_until_there_is_room_and_loses_none(
    small_disk: Path, tmp_path: Path, seed: int
) -> None:
    database = OwnPostgres(small_disk / "data")
    try:
        with serving(database.url, tmp_path / "log") as server:
            with Writers([server.url], [database.key()], seed) as writers:
                writers.await_acknowledgements(RECOVERY_SECONDS)
                ballast = small_disk / "ballast"
                _fill(ballast, shutil.disk_usage(small_disk).free - LEFT_BYTES)
                (writer,) = writers.writers
                until(lambda: _fill_up(ballast) or {503, 507} & set(writer.ledger[-1].statuses), FULL_SECONDS)
                assert httpx2.get(f"{server.url}/api/v1/monitoring/live", timeout=5).status_code == 200
                body = {"query": writer.ledger[0].texts[0], "limit": 1}
                found = httpx2.post(
                    f"{server.url}/api/v1/memories/search", json=body, headers=writer.headers, timeout=5
                )
                assert [memory["text"] for memory in found.json()["memories"]] == writer.ledger[0].texts[:1]
                ballast.unlink()
                recovery = writers.await_acknowledgements(RECOVERY_SECONDS)
            check(server.url, writers, database, [server.log])
            assert not {status for entry in writers.entries for status in entry.statuses} - {0, 201, 503, 507}
    finally:
        database.stop()
    writers.report("8 disk full", 1, [recovery])


def _fill(file: Path, size: int) -> None:
    with suppress(OSError), file.open("ab") as ballast:
        ballast.write(bytes(max(0, size)))


def _fill_up(file: Path) -> None:
    """Take what is left: PostgreSQL frees a little now and then."""
    _fill(file, FILL_BYTES)
    with suppress(OSError), file.open("ab", buffering=0) as ballast:
        while ballast.write(bytes(4096)):
            pass
