"""The primary is killed under writers and its standby promoted; the server knows both by one URL."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import psutil
import pytest
from fault_server import OwnPostgres, serving, times, until
from ledger import Outcome, Writers, check

from pronoia.adapters.postgres.account import make_private_folder
from pronoia.adapters.postgres.cluster import Cluster
from pronoia.adapters.postgres.embedded import url_of
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.lock_file import read_lock_file
from pronoia.adapters.postgres.programs import run_program
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.errors import StoreUnavailableError
from pronoia.domain.records import ApiKey, Plan
from pronoia.resilience.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30
RECOVERY_SECONDS = 20.0
IMPATIENT = {"PRONOIA_DATABASE_BREAKER_SECONDS": "1", "PRONOIA_DATABASE_TIMEOUT_SECONDS": "5"}
CAUGHT_UP = """
    select from pg_stat_replication where sync_state = $1 and flush_lsn >= pg_current_wal_flush_lsn() limit 1"""


class Pair:
    """A primary and its streaming standby, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.primary = OwnPostgres(folder / "one")
        self.cluster = self.primary._server.cluster
        self._sockets = folder / "two" / "socket"
        self.standby = Cluster(folder / "two" / "postgres", self.cluster.programs, self.cluster.account)
        asyncio.run(self._start_standby())

    async def _start_standby(self) -> None:
        one, two = self.cluster, self.standby
        for made in (two.folder.parent, two.folder, two.log_folder, self._sockets):
            make_private_folder(made, one.account)
        code, said = await run_program(
            one.programs / "pg_basebackup",
            *("--pgdata", str(two.folder), "--write-recovery-conf", "--checkpoint=fast", "--no-password"),
            *("--host", str(self.primary.socket.parent), "--username=postgres"),
            account=one.account,
            timeout_seconds=SECONDS,
        )
        assert code == 0, said
        two.configure(self._sockets)
        await two.start()

    @property
    def standby_url(self) -> str:
        return url_of(self._sockets, "pronoia", "pronoia")

    @property
    def url(self) -> str:
        """Name both hosts; a connection goes to the one that takes writes."""
        hosts = quote(f"{self.primary.socket.parent},{self._sockets}", safe="")
        return f"postgresql://pronoia@/pronoia?host={hosts}&port=5432,5432&target_session_attrs=read-write"

    def ask(self, statement: str) -> list[asyncpg.Record]:
        """Ask the standby as the superuser."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.standby_url.replace("pronoia@", "postgres@"), timeout=10)
            try:
                return await connection.fetch(statement)
            finally:
                await connection.close()

        return asyncio.run(run())

    def wait_until_standby_is(self, state: str) -> None:
        """Let commits wait for the standby, if it is to be `sync`, and wait until it has all there is."""
        if state == "sync":
            self.primary.query("alter system set synchronous_standby_names = '*'")
            self.primary.query("select pg_reload_conf()")
        until(lambda: self.primary.query(CAUGHT_UP, state), SECONDS)

    def kill_primary(self) -> None:
        """Kill the postmaster and all its processes at once, as a loss of power does."""
        postmaster = psutil.Process(read_lock_file(self.cluster.lock_path).process)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=10)

    def receiver(self) -> psutil.Process:
        """Find the process of the standby that receives the log."""
        return psutil.Process(self.ask("select pid from pg_stat_wal_receiver")[0]["pid"])

    def promote(self) -> None:
        """Make the standby the primary."""
        run = run_program(
            self.standby.programs / "pg_ctl",
            *("promote", "--wait", "--silent", "--pgdata", str(self.standby.folder)),
            account=self.standby.account,
            timeout_seconds=SECONDS,
        )
        code, said = asyncio.run(run)
        assert code == 0, said

    def stop(self) -> None:
        asyncio.run(self.standby.stop())
        self.primary.stop()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with TemporaryDirectory(prefix="pronoia-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        pair = Pair(Path(folder))
        yield pair
        pair.stop()


def test_a_synchronous_failover_loses_nothing_and_the_old_primary_acknowledges_nothing(
    pair: Pair, tmp_path: Path, seed: int
) -> None:
    pair.wait_until_standby_is("sync")
    keys = [pair.primary.key(), pair.primary.key()]
    with serving(pair.url, tmp_path / "log", **IMPATIENT) as server:
        with Writers([server.url], keys, seed) as writers:
            for _ in range(times(1, 50)):
                writers.await_acknowledgements(RECOVERY_SECONDS)
            pair.kill_primary()
            pair.promote()
            recovery = writers.await_acknowledgements(RECOVERY_SECONDS)
        check(server.url, writers, None, [server.log])
    asyncio.run(pair.cluster.start())
    with pytest.raises(StoreUnavailableError, match=r"no standby has confirmed it|does not answer"):
        asyncio.run(_write(pair.primary.url))
    writers.report("13 failover, synchronous", 1, [recovery])


async def _write(url: str) -> None:
    database = await Database.open(url, connections=1, timeout_seconds=0.5)
    try:
        now = SystemClock().now()
        await PostgresKeyStore(database).create(ApiKey("k", uuid4(), None, frozenset(), Plan.FREE, b"", now))
    finally:
        await database.close()


def test_an_asynchronous_failover_loses_at_most_what_the_standby_had_not_received(
    pair: Pair, tmp_path: Path, seed: int
) -> None:
    pair.wait_until_standby_is("async")
    with (
        serving(pair.url, tmp_path / "log", **IMPATIENT) as server,
        Writers([server.url], [pair.primary.key()], seed) as writers,
    ):
        (writer,) = writers.writers
        writers.await_acknowledgements(RECOVERY_SECONDS)
        receiver = pair.receiver()
        until(lambda: pair.primary.query(CAUGHT_UP, "async"), SECONDS)
        safe = [entry for entry in writer.ledger if entry.outcome is Outcome.ACKNOWLEDGED]
        receiver.send_signal(signal.SIGSTOP)
        for _ in range(times(2, 50)):
            writers.await_acknowledgements(RECOVERY_SECONDS)
        pair.kill_primary()
        risked = [entry for entry in writer.ledger if entry.outcome is Outcome.ACKNOWLEDGED]
        receiver.kill()
        pair.promote()
        recovery = writers.await_acknowledgements(RECOVERY_SECONDS)
    there = {row["text"] for row in pair.ask("select text from memories")}
    lost = [entry for entry in writer.ledger if entry.outcome is Outcome.ACKNOWLEDGED and entry.texts[0] not in there]
    assert all(text in there for entry in safe for text in entry.texts)
    assert lost, "the standby had received everything"
    assert all(entry in risked and entry not in safe for entry in lost), "lost before the kill, or after it"
    assert all(not there.intersection(entry.texts) for entry in lost), "kept in part"
    print(  # noqa: T201 - a row of the suite's table
        f"| 13 failover, asynchronous | 1 faults | {len(writers.entries)} writes | {writers.attempts_that_failed} "
        f"attempts failed | {len(lost)} lost of {len(risked) - len(safe)} not received "
        f"| recovered in at most {recovery:.1f} s |"
    )
