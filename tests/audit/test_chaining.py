from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from audit_makers import ONE, OTHER, row

from pronoia.adapters.audit.checkpoint_files import EARLIER_NAME, NAME, CheckpointFiles, read_checkpoints
from pronoia.adapters.audit.signing import PRIVATE_NAME, PUBLIC_NAME, public_key
from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.services.audit.chainer import CHECKPOINT_SECONDS, LEASE_SECONDS, Chainer
from pronoia.services.audit.verification import promised
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter, series

if TYPE_CHECKING:
    from pathlib import Path

    from pronoia.adapters.postgres.transactions import Database

pytestmark = pytest.mark.anyio


def chainer(database: Database, folder: Path | None, clock: ManualClock, meter: RecordingMeter) -> Chainer:
    files = None if folder is None else CheckpointFiles(folder)
    return Chainer(store=PostgresAuditStore(database), checkpoints=files, clock=clock, meter=meter)


def signed(folder: Path) -> list[dict[object, int]]:
    """Give what each checkpoint says of each organisation."""
    lines = read_checkpoints(folder / NAME, public_key(folder / PUBLIC_NAME))
    checkpoints = [line.checkpoint for line in lines if line.follows]
    return [{head.organisation_id: head.number for head in one.heads} for one in checkpoints if one is not None]


async def test_one_process_chains_and_another_takes_over_when_its_lease_has_ended(database: Database):
    store, clock, meter = PostgresAuditStore(database), ManualClock(), RecordingMeter()
    leader, other = (chainer(database, None, clock, meter) for _ in range(2))
    await leader.run_once()
    await store.record([row(), row()])
    await other.run_once()
    assert await _numbers(database) == []
    await leader.run_once()
    assert await _numbers(database) == [1, 2]
    await _end_leases(database)
    clock.advance(LEASE_SECONDS)
    await store.record([row()])
    await other.run_once()
    assert await _numbers(database) == [1, 2, 3]


async def test_two_chainers_at_once_number_each_row_once(database: Database):
    store = PostgresAuditStore(database)
    await store.record([row() for _ in range(20)])
    async with database.writing(None) as connection:
        await connection.execute("select chain_audit(10)")
        assert await store.chain(10) is None
    assert (await store.chain(100)) is not None
    assert await _numbers(database) == list(range(1, 21))


async def test_the_heads_that_moved_are_signed_each_minute_and_all_of_them_by_a_new_process(
    database: Database, tmp_path: Path
):
    store, clock, meter = PostgresAuditStore(database), ManualClock(), RecordingMeter()
    first = chainer(database, tmp_path, clock, meter)
    await store.record([row(ONE), row(OTHER)])
    await first.run_once()
    (at_first,) = signed(tmp_path)
    assert (at_first[ONE], at_first[OTHER]) == (1, 1)
    await store.record([row(ONE)])
    await first.run_once()
    assert len(signed(tmp_path)) == 1
    clock.advance(CHECKPOINT_SECONDS)
    await first.run_once()
    assert signed(tmp_path)[1][ONE] == 2
    await _end_leases(database)
    await chainer(database, tmp_path, clock, meter).run_once()
    assert signed(tmp_path)[2] == {**at_first, ONE: 2}
    assert stat.S_IMODE((tmp_path / PRIVATE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


async def test_the_files_are_bounded_and_the_newest_begins_with_every_head(database: Database, tmp_path: Path):
    store = PostgresAuditStore(database)
    files = CheckpointFiles(tmp_path, rotate_bytes=2_000)
    clock = ManualClock()
    one = Chainer(store=store, checkpoints=files, clock=clock, meter=RecordingMeter())
    await store.record([row(OTHER)])
    for _ in range(40):
        await store.record([row(ONE)])
        await one.run_once()
        await _end_leases(database)
        clock.advance(CHECKPOINT_SECONDS)
    sizes = [(tmp_path / name).stat().st_size for name in (NAME, EARLIER_NAME)]
    assert max(sizes) < 5_000
    assert {ONE, OTHER} <= signed(tmp_path)[0].keys()
    lines = read_checkpoints(tmp_path / NAME, public_key(tmp_path / PUBLIC_NAME))
    promises = promised(line.checkpoint for line in lines if line.checkpoint is not None)
    assert max(promises[ONE]) == 40


async def test_a_file_that_cannot_be_written_is_told_by_the_age_of_the_last(database: Database, tmp_path: Path):
    clock, meter = ManualClock(), RecordingMeter()
    blocked = tmp_path / "file"
    blocked.touch()
    one = chainer(database, blocked, clock, meter)
    await one.run_once()
    clock.advance(100)
    await one.run_once()
    assert meter.gauges[series("audit_checkpoint_age_seconds")] == 100


async def test_what_waits_is_measured(database: Database):
    store, meter = PostgresAuditStore(database), RecordingMeter()
    one = chainer(database, None, ManualClock(), meter)
    await one.run_once()
    before = meter.counts[series("audit_rows_total")]
    await store.record([row(), row()])
    await one.run_once()
    assert meter.counts[series("audit_rows_total")] == before + 2
    assert meter.gauges[series("audit_unchained_rows")] == 0


async def _numbers(database: Database) -> list[int]:
    async with database.reading(ONE) as connection:
        rows = await connection.fetch("select number from audit_log where number is not null order by number")
    return [one["number"] for one in rows]


async def _end_leases(database: Database) -> None:
    async with database.writing(None) as connection:
        await connection.execute("update instance_leases set leased_until = now() - interval '1 second'")
