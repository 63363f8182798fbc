"""A worker that takes more memory than it may is killed by the kernel, amid the largest writes there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest
from fault_server import serving, times, until
from ledger import Entry, Writer, Writers, check

from processes import has_ended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fault_server import FaultyServer, OwnPostgres

WRITERS = 2
LARGEST_BATCH = 100
TEXT_CHARACTERS = 9_900
"""A hundred of these and their JSON are just below the megabyte that a body may have."""
ROOM_BYTES = 24 << 20
"""What a worker may take beside what it had when the limit was set."""
WORDS = 100
CREATED = 201
MOST_KILLS = 10
KILL_SECONDS = 60.0
RECOVERY_SECONDS = 20.0
LIVE_SECONDS = 1.0
LIMITS = {"/sys/fs/cgroup/memory": "memory.limit_in_bytes", "/sys/fs/cgroup": "memory.max"}
"""Where the kernel's limits are set: by cgroups of version 1, or 2."""


class MemoryLimit:
    """A control group whose processes are killed if together they take more than ROOM_BYTES."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hold(self, pid: int) -> None:
        """Count from now on what a process takes."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    @property
    def kills(self) -> int:
        """Count the processes that the kernel killed."""
        events = next(
            file for name in ("memory.oom_control", "memory.events") if (file := self._folder / name).exists()
        )
        return int(dict(line.split() for line in events.read_text().splitlines())["oom_kill"])


@pytest.fixture
def memory_limit() -> Iterator[MemoryLimit]:
    """Make a control group. Only root may, and not in every container."""
    for parent, limit in LIMITS.items():
        folder = Path(parent) / f"pronoia-{uuid4().hex}"
        if not (Path(parent) / "cgroup.procs").exists():
            continue
        try:
            folder.mkdir()
            (folder / limit).write_text(str(ROOM_BYTES))
        except OSError:
            continue
        yield MemoryLimit(folder)
        folder.rmdir()
        return
    pytest.skip("needs root and a memory control group that may be written")


class BulkWriter(Writer):
    """Writes the largest batches that a server takes."""

    def next_entry(self) -> Entry:
        texts = [self._long_text() for _ in range(LARGEST_BATCH)]
        body = {"memories": [{"text": text} for text in texts]}
        return Entry(uuid4().hex, self.user, "/api/v1/memories/batch", body, texts)

    def _long_text(self) -> str:
        words = f"{self.canary} wrote " + " ".join(f"{self._random.getrandbits(32):x}" for _ in range(WORDS))
        return (words + " again" * TEXT_CHARACTERS)[:TEXT_CHARACTERS]


def test_a_worker_killed_for_its_memory_leaves_no_batch_in_part_and_the_other_serves(
    victim: OwnPostgres, memory_limit: MemoryLimit, tmp_path: Path, seed: int
) -> None:
    recoveries: list[float] = []
    with serving(victim.url, tmp_path / "log", "--workers", "2") as server:
        keys = [victim.key() for _ in range(WRITERS)]
        with Writers([server.url], keys, seed, BulkWriter) as writers:
            # A worker may die between two writes; then the next one has to.
            while len(recoveries) < (times(1, MOST_KILLS) if _was_hit(writers) else MOST_KILLS):
                writers.await_acknowledgements(RECOVERY_SECONDS)
                doomed, other = server.workers()
                memory_limit.hold(doomed.pid)
                until(lambda doomed=doomed: has_ended(doomed), KILL_SECONDS)
                assert _is_ready_at_once(server)
                recoveries.append(writers.await_acknowledgements(RECOVERY_SECONDS))
                until(lambda: len(server.workers()) == 2, RECOVERY_SECONDS)
                assert other in server.workers()
        assert memory_limit.kills == len(recoveries)
        check(server.url, writers, victim, [server.log])
    assert _was_hit(writers), "no write was hit"
    writers.report("9 worker out of memory", len(recoveries), recoveries)


def _was_hit(writers: Writers) -> bool:
    return any(status != CREATED for entry in writers.entries for status in entry.statuses)


def _is_ready_at_once(server: FaultyServer) -> bool:
    answer = httpx2.get(f"{server.url}/health/ready", timeout=RECOVERY_SECONDS)
    return answer.is_success and answer.elapsed.total_seconds() < LIVE_SECONDS
