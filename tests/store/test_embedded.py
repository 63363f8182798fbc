from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from pronoia.adapters.postgres.account import server_account
from pronoia.adapters.postgres.cluster import STOP_TIMEOUTS_SECONDS
from pronoia.adapters.postgres.embedded import SOCKET_PATH_LIMIT, EmbeddedPostgres
from pronoia.adapters.postgres.lock_file import LockFile, read_lock_file, remove_lock_of_the_dead
from pronoia.domain.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio
SECONDS = 20
HOLDER = """
import asyncio, sys
from pathlib import Path
from pronoia.adapters.postgres.embedded import EmbeddedPostgres

async def hold() -> None:
    server = EmbeddedPostgres(Path(sys.argv[1]))
    print(await server.start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(hold())
"""


@pytest.fixture
def folder(data_folder: Path) -> Iterator[Path]:
    """Give a data folder, and stop whatever a failing test leaves running on it."""
    yield data_folder
    process = _process(data_folder)
    if process is not None:
        os.kill(process, signal.SIGQUIT)


def _process(folder: Path) -> int | None:
    """Give the process id of the server of a data folder, if it is alive."""
    try:
        process = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(process, 0)
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None
    return process


def _mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def _text(file: Path) -> str:
    return file.read_text()


async def _ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url, timeout=SECONDS)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _hold(folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    """Start another process that holds the server until its input ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        while not (line := (await process.stdout.readline()).decode()).startswith("postgresql://"):
            assert line, "the holder ended"
    return process, line.strip()


async def test_what_is_stored_is_there_after_a_restart(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = await server.start()
    await _ask(url, "create table kept as select 42 as answer")
    await server.stop()
    assert _process(folder) is None
    assert await server.start() == url
    assert await _ask(url, "select answer from kept") == 42
    await server.stop()


async def test_only_its_owner_reaches_it_and_only_through_the_socket(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = await server.start()
    try:
        assert [_mode(folder / private) for private in ("postgres", "socket", "log")] == [0o700] * 3
        assert await _ask(url, "show listen_addresses") == ""
        assert await _ask(url, "select rolsuper from pg_roles where rolname = current_user") is False
        rules = (folder / "postgres" / "pg_hba.conf").read_text().split()
        assert rules == [
            "local",
            "all",
            "all",
            "peer",
            "map=pronoia",
            "local",
            "replication",
            "all",
            "peer",
            "map=pronoia",
        ]
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
            await _ask(url.replace("pronoia@", "pronoia_app@"), "select 1")
    finally:
        await server.stop()


async def test_the_server_never_runs_as_root(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    await server.start()
    try:
        process = _process(folder)
        assert process is not None
        owner = os.stat(f"/proc/{process}").st_uid  # noqa: PTH116 - answered from memory
        assert owner == server_account().user != 0
    finally:
        await server.stop()


async def test_settings_that_nobody_may_lose_data_by_are_on(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = await server.start()
    try:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await _ask(url, f"show {setting}") == "on"
        assert await _ask(url, "show server_encoding") == "UTF8"
        assert await _ask(url, "select extversion >= '0.8' from pg_extension where extname = 'vector'")
    finally:
        await server.stop()


async def test_the_server_runs_until_the_last_holder_lets_go(folder: Path) -> None:
    first, url = await _hold(folder)
    second = EmbeddedPostgres(folder)
    assert await second.start() == url
    await second.stop()
    assert await _ask(url, "select 1") == 1
    await second.start()
    first.stdin.close()
    assert await asyncio.wait_for(first.wait(), SECONDS) == 0
    assert await _ask(url, "select 1") == 1
    await second.stop()
    assert _process(folder) is None


async def test_a_server_whose_holder_was_killed_is_taken_over_and_stopped(folder: Path) -> None:
    holder, url = await _hold(folder)
    process = _process(folder)
    holder.kill()
    await holder.wait()
    assert _process(folder) == process
    server = EmbeddedPostgres(folder)
    assert await server.start() == url
    assert _process(folder) == process
    await server.stop()
    assert _process(folder) is None


async def test_a_server_that_was_killed_with_its_holder_recovers_what_was_committed(folder: Path) -> None:
    holder, url = await _hold(folder)
    await _ask(url, "create table kept as select 42 as answer")
    process = _process(folder)
    assert process is not None
    os.kill(process, signal.SIGKILL)
    holder.kill()
    await holder.wait()
    server = EmbeddedPostgres(folder)
    await server.start()
    assert await _ask(url, "select answer from kept") == 42
    await server.stop()


async def test_processes_that_start_together_share_one_server(folder: Path) -> None:
    servers = [EmbeddedPostgres(folder) for _ in range(4)]
    urls = await asyncio.gather(*(server.start() for server in servers))
    assert len(set(urls)) == 1
    assert await _ask(urls[0], "select count(*) from pg_database where datname = 'pronoia'") == 1
    await asyncio.gather(*(server.stop() for server in servers))
    assert _process(folder) is None


async def test_a_creation_that_was_broken_off_is_begun_again(folder: Path) -> None:
    unfinished = folder / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(folder)
    url = await server.start()
    assert await _ask(url, "select 1") == 1
    await server.stop()


async def test_a_path_too_long_for_a_socket_gets_a_private_folder_elsewhere_and_keeps_it(folder: Path) -> None:
    deep = folder / ("d" * SOCKET_PATH_LIMIT)
    server = EmbeddedPostgres(deep)
    url = await server.start()
    noted = Path(_text(deep / "socket_folder"))
    assert _mode(noted) == 0o700
    assert await _ask(url, "select 1") == 1
    await server.stop()
    assert await server.start() == url
    await server.stop()
    shutil.rmtree(noted)


async def test_a_server_that_cannot_start_says_why_in_its_own_words(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    await server.start()
    await server.stop()
    (folder / "postgres" / "local.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(StoreUnavailableError, match="no_such_setting"):
        await server.start()
    (folder / "postgres" / "local.conf").unlink()
    await server.start()
    await server.stop()


async def test_a_server_with_a_frozen_connection_is_stopped_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STOP_TIMEOUTS_SECONDS, "fast", 1)
    server = EmbeddedPostgres(folder)
    url = await server.start()
    connection = await asyncpg.connect(url, timeout=SECONDS)
    os.kill(connection.get_server_pid(), signal.SIGSTOP)
    await asyncio.wait_for(server.stop(), 10)
    assert _process(folder) is None
    connection.terminate()


async def test_the_lock_of_a_dead_process_that_nobody_buried_is_removed(tmp_path: Path) -> None:
    zombie = await asyncio.to_thread(subprocess.Popen, ["true"])
    await asyncio.to_thread(os.waitid, os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    file = tmp_path / "postmaster.pid"
    await asyncio.to_thread(file.write_text, f"{zombie.pid}\n")
    remove_lock_of_the_dead(file)
    assert read_lock_file(file) is None
    await asyncio.to_thread(zombie.wait)
    await asyncio.to_thread(file.write_text, f"{os.getpid()}\n/data\n0\n5432\n/socket\n\n1 2\nready   \n")
    remove_lock_of_the_dead(file)
    assert read_lock_file(file) == LockFile(os.getpid(), Path("/socket"), is_ready=True)
