"""What the owner of the database does to the audit log, and which row is named for it."""

from __future__ import annotations

import asyncio
import inspect
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from audit_makers import ONE, OTHER, chain_all, row
from typer.testing import CliRunner

from database_administration import address, administer
from pronoia.adapters.audit.checkpoint_files import NAME, CheckpointFiles, read_checkpoints
from pronoia.adapters.audit.signing import PUBLIC_NAME, public_key
from pronoia.adapters.postgres.audit_chain import AuditChain
from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.cli.commands import app
from pronoia.domain.audit import AuditRow, Checkpoint
from pronoia.services.audit.verification import ChainVerifier, Finding, promised

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

ROWS, SIGNED = 12, (5, 10, 12)
"""Rows of the chain, and those that a checkpoint names."""

REWRITE = f"""
do $$
declare
    r audit_log;
    last bytea := decode(repeat('00', 32), 'hex');
begin
    for r in select * from audit_log where organisation_id = '{ONE}' order by number loop
        update audit_log l set previous_hash = last, hash = sha256(last || int8send(r.number) || l.content_hash)
        where l.organisation_id = r.organisation_id and l.place = r.place returning l.hash into last;
    end loop;
    update audit_heads set hash = last, number = (select max(number) from audit_log where organisation_id = '{ONE}')
    where organisation_id = '{ONE}';
end $$;
"""  # noqa: S608 - ours
"""Makes the whole chain agree with what it says now."""


@dataclass
class Chain:
    url: str
    folder: Path

    def tamper(self, *statements: str) -> None:
        """Run statements as the owner of the tables."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url, timeout=10, command_timeout=10)
            for statement in statements:
                await connection.execute(statement)
            await connection.close()

        asyncio.run(run())

    def verify(self, *options: str) -> dict[str, Any]:
        """Run the command, and hold its exit code to what it says."""
        files = options or ("--checkpoints", str(self.folder / NAME))
        result = CliRunner().invoke(app, ["audit", "verify", "--database-url", self.url, *files, "--json"])
        report = json.loads(result.stdout)
        assert result.exit_code == (0 if report["ok"] else 1)
        return report

    def found(self, *options: str) -> list[tuple[str, int, str, int | None]]:
        findings = self.verify(*options)["findings"]
        return [(one["organisation_id"], one["number"], one["tampering"], one["until"]) for one in findings]

    def found_after(self, *statements: str, signed: bool = True) -> list[tuple[UUID, int, str, int | None]]:
        """Tamper, verify by the signed checkpoints or without them, and take it back."""
        lines = read_checkpoints(self.folder / NAME, public_key(self.folder / PUBLIC_NAME))
        promises = promised(one.checkpoint for one in lines if one.checkpoint) if signed else {}

        async def run() -> list[Finding]:
            connection = await asyncpg.connect(self.url, timeout=10, command_timeout=10)
            transaction = connection.transaction()
            await transaction.start()
            for statement in statements:
                await connection.execute(statement)
            chain = AuditChain(connection)
            verifier = ChainVerifier(await chain.heads(), promises)
            async for one in chain.rows():
                verifier.take(one)
            await transaction.rollback()
            await connection.close()
            return verifier.finish()

        return [(one.organisation_id, one.number, one.tampering.value, one.until) for one in asyncio.run(run())]


async def _fill(url: str, folder: Path) -> None:
    database = await Database.open(url, connections=2, timeout_seconds=10)
    store, files = PostgresAuditStore(database), CheckpointFiles(folder)
    for number in range(1, ROWS + 1):
        await store.record([row(ONE, number), row(OTHER, number)])
        await chain_all(database)
        if number in SIGNED:
            _, heads = await store.heads(None)
            await files.write([Checkpoint(datetime.now(UTC), tuple(heads))])
    await database.close()


@pytest.fixture(scope="module")
def untouched(postgres_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Give chains that no test changes for good."""
    administer(postgres_url, f"create database audited owner pronoia template {template}")
    chain = Chain(address(postgres_url, database="audited"), tmp_path_factory.mktemp("audit"))
    asyncio.run(_fill(chain.url, chain.folder))
    yield chain
    administer(postgres_url, "drop database audited with (force)")


@pytest.fixture
def chain(database_url: str, tmp_path: Path) -> Chain:
    asyncio.run(_fill(database_url, tmp_path))
    return Chain(database_url, tmp_path)


OF_ONE = f"where organisation_id = '{ONE}' "


def at(number: int) -> str:
    """Select a row."""
    return f"{OF_ONE} and number = {number}"


DELETE = "delete from audit_log "
UPDATE = "update audit_log set "
NOBODY = UPDATE + "actor = 'nobody' "
OWN_HASH = "update audit_log set hash = sha256(previous_hash || int8send(number) || content_hash) "
TAIL = DELETE + OF_ONE + "and number > "
CASES = {
    "edited": ([NOBODY + at(4)], 4, "edited", None),
    "edited with its own hash": ([NOBODY + at(4), OWN_HASH + at(4)], 4, "edited", None),
    "the last edited": ([NOBODY + at(12)], 12, "edited", None),
    "the last edited with its own hash": ([NOBODY + at(12), OWN_HASH + at(12)], 11, "rewritten", 12),
    "deleted": ([DELETE + at(6)], 6, "removed", None),
    "the first deleted": ([DELETE + at(1)], 1, "removed", None),
    "two swapped": (
        [UPDATE + f"number = {new} " + at(old) for old, new in ((4, -1), (7, 4), (-1, 7))],
        4,
        "moved",
        None,
    ),
    "tail cut": ([TAIL + "10"], 11, "cut_off", None),
    "tail cut and the end rewound": ([TAIL + "10", REWRITE], 11, "cut_off", None),
    "all gone": ([TAIL + "0", DELETE.replace("log", "heads") + OF_ONE], 1, "cut_off", None),
    "rewritten from 4 on": ([NOBODY + at(4), REWRITE], 1, "rewritten", 5),
    "rewritten from 7 on": ([NOBODY + at(7), REWRITE], 6, "rewritten", 10),
    "the noted end edited": (
        [UPDATE.replace("log", "heads") + "hash = '\\x00' " + OF_ONE],
        12,
        "edited",
        None,
    ),
}
"""By what the owner does: the statements, the row that is named, for what, and where a rewriting may begin at last."""


def test_what_nobody_touched_is_whole(untouched: Chain):
    report = untouched.verify()
    # The migrations are a row or more of the instance's own chain.
    assert report["rows"] > 2 * ROWS
    assert (report["ok"], report["waiting"], report["checkpoints"], report["bad_checkpoints"]) == (True, 0, 3, [])


@pytest.mark.parametrize("case", CASES)
def test_each_way_of_tampering_is_named_at_the_first_row_that_is_wrong(untouched: Chain, case: str):
    statements, number, tampering, until = CASES[case]
    assert untouched.found_after(*statements) == [(ONE, number, tampering, until)]


def test_each_organisation_is_named_by_itself(untouched: Chain):
    found = untouched.found_after("delete from audit_log where number = 3")
    assert found[-2:] == [(ONE, 3, "removed", None), (OTHER, 3, "removed", None)]


def test_no_column_can_be_changed_unnoticed(untouched: Chain):
    columns = {
        "organisation_id": f"'{OTHER}'",
        "at": "at + interval '1 microsecond'",
        "action": "action || '_'",
        "outcome": "'refused'",
        "actor": "actor || ' '",
        "subject": "gen_random_uuid()",
        "route": "null",
        "request_id": "upper(request_id)",
        "details": "details || '{\"none\": 0}'",
        "number": "number + 100",
        "previous_hash": "hash",
        "hash": "previous_hash",
    }
    for column, value in columns.items():
        found = untouched.found_after(
            "drop index audit_log_number", UPDATE + f"{column} = {value} " + at(1), signed=False
        )
        assert (ONE, 1) in {one[:2] for one in found}, column


def test_the_columns_that_are_not_hashed_say_nothing(untouched: Chain):
    async def columns() -> set[str]:
        connection = await asyncpg.connect(untouched.url, timeout=10, command_timeout=10)
        rows = await connection.fetch("select * from audit_log limit 1")
        await connection.close()
        return set(rows[0].keys())

    hashed = {*inspect.signature(AuditRow).parameters}
    assert asyncio.run(columns()) - hashed == {"place"}


def test_a_whole_rewriting_is_found_by_the_checkpoints_alone(chain: Chain):
    chain.tamper(NOBODY + at(4), REWRITE)
    assert chain.found("--checkpoints", str(_empty(chain)), "--public-key", str(chain.folder / PUBLIC_NAME)) == []
    assert chain.found() == [(str(ONE), 1, "rewritten", 5)]


def _empty(chain: Chain) -> Path:
    path = chain.folder / "none.jsonl"
    path.touch()
    return path


def test_checkpoints_that_were_changed_or_left_out_are_named(untouched: Chain, tmp_path: Path):
    path = tmp_path / NAME
    (tmp_path / PUBLIC_NAME).write_bytes((untouched.folder / PUBLIC_NAME).read_bytes())
    first, second, third = (untouched.folder / NAME).read_text().splitlines()
    path.write_text(f"{first}\n{third}")
    assert untouched.verify("--checkpoints", str(path))["bad_checkpoints"] == [
        f"{NAME}:2 does not follow the line before"
    ]
    path.write_text("\n".join([first, second.replace('"resealed":null', '"resealed":"no"'), third]))
    assert untouched.verify("--checkpoints", str(path))["bad_checkpoints"] == [
        f"{NAME}:2 is not signed by this key",
        f"{NAME}:3 does not follow the line before",
    ]


def test_the_key_of_another_server_proves_nothing(untouched: Chain, tmp_path: Path):
    asyncio.run(CheckpointFiles(tmp_path).write([]))
    report = untouched.verify(
        "--checkpoints", str(untouched.folder / NAME), "--public-key", str(tmp_path / PUBLIC_NAME)
    )
    assert (report["checkpoints"], len(report["bad_checkpoints"])) == (0, 3)


def test_after_a_restore_the_chain_is_whole_again_once_it_is_sealed_with_a_reason(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
):
    chain.tamper(TAIL + "8", REWRITE)
    assert chain.found() == [(str(ONE), 9, "cut_off", None)]
    monkeypatch.setenv("PRONOIA_AUDIT_FOLDER", str(chain.folder))
    options = ["--database-url", chain.url, "--reason", "restored to noon", "--json"]
    sealed = CliRunner().invoke(app, ["audit", "reseal", *options])
    assert json.loads(sealed.stdout)["reason"] == "restored to noon"
    assert chain.verify()["ok"]
    chain.tamper(TAIL + "7", REWRITE)
    assert chain.found() == [(str(ONE), 8, "cut_off", None)]
