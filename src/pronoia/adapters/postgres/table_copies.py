"""The rows of all tables, copied out in one consistent state and back in as a whole or not at all.

Rows travel in the binary form of COPY, which PostgreSQL 16 to 18 share, so every value comes back bit by bit, and a
backup made on one server is restored on another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from pronoia.adapters.backup.folder import Step, TableCopy
from pronoia.adapters.postgres.driver import Connection, connect, fetch_one
from pronoia.adapters.postgres.errors import translated_errors
from pronoia.adapters.postgres.migrations import (
    Migration,
    applied,
    apply_all,
    known_migrations,
    pending,
    prepare_database,
)
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.errors import BackupError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from pronoia.adapters.backup.folder import Backup, BackupWriter
    from pronoia.adapters.postgres.driver import Row

COPY_TIMEOUT_SECONDS = 6 * 3600.0
"""For the largest table."""
NOT_COPIED = ("schema_migrations", "kept_answers", "instance_leases", "process_reports")
"""What the migrations write themselves, answers that are computed again, and what belongs to running processes."""


@dataclass(slots=True)
class Copied:
    """What was copied out."""

    postgres: int
    schema: list[Step]
    tables: list[TableCopy] = field(default_factory=list["TableCopy"])


async def copy_out(url: str, backup: BackupWriter, progress: Callable[[str, int, int], None]) -> Copied:
    """Copy all tables as they are at one moment, whoever writes meanwhile.

    `progress` hears the table, the bytes copied of it, and about how many it has. Raises ConfigurationError if there
    is no schema, or if this role does not see every row.
    """
    with translated_errors():
        connection = await connect(url, timeout_seconds=COPY_TIMEOUT_SECONDS)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(QUERIES["backup_memory"])
                steps = [step_of(migration) for migration in await applied(connection)]
                if not steps:
                    raise ConfigurationError("There is nothing to back up here: this database was never migrated.")
                copied = Copied(await connection.fetchval(QUERIES["server_version"]), steps)
                for table in await _tables(connection):
                    copied.tables.append(await _copy_table(connection, table, backup, progress))
        finally:
            await connection.close()
    return copied


async def _tables(connection: Connection) -> Sequence[Row]:
    """Give the tables, those that others refer to first."""
    rows = {row["name"]: row for row in await connection.fetch(QUERIES["backup_tables"], list(NOT_COPIED))}
    hidden = [name for name, row in rows.items() if not row["whole"]]
    if hidden:
        raise ConfigurationError(
            f"This role does not see all rows of {', '.join(hidden)}. Back up as the role that owns the tables."
        )
    order = TopologicalSorter({name: row["refers_to"] for name, row in rows.items()}).static_order()
    return [rows[name] for name in order if name in rows]


async def _copy_table(
    connection: Connection, table: Row, backup: BackupWriter, progress: Callable[[str, int, int], None]
) -> TableCopy:
    name: str = table["name"]
    size = 0
    with backup.part(f"{name}.rows") as part:

        def take(data: bytes) -> None:
            nonlocal size
            part.write(data)
            size += len(data)
            progress(name, size, max(size, table["size"]))

        rows, digest = await _read(connection, table["statement"], take)
    progress(name, size, size)
    return TableCopy(name=name, columns=table["columns"], rows=rows, size=size, digest=digest)


async def _read(connection: Connection, statement: str, take: Callable[[bytes], None]) -> tuple[int, str]:
    """Hand on the rows of a statement as COPY writes them, and give their number and digest."""
    digest = hashlib.sha256()

    async def hear(data: bytes) -> None:
        digest.update(data)
        take(data)

    with translated_errors():
        said = await connection.copy_from_query(statement, output=hear, format="binary")
    return _count(said), digest.hexdigest()


async def copy_in(url: str, backup: Backup, progress: Callable[[int], None]) -> None:
    """Make the schema that the backup was taken of and fill it, in one transaction.

    `progress` hears of the bytes stored. Raises ConfigurationError if there are tables already or the backup is of a
    newer schema, BackupError if a part does not hold what the manifest says.
    """
    steps = migrations_of(backup)
    with translated_errors():
        connection = await connect(url, timeout_seconds=COPY_TIMEOUT_SECONDS)
        try:
            there = [row["name"] for row in await connection.fetch(QUERIES["target_tables"])]
            if there:
                raise ConfigurationError(f"The database is not empty: it has {', '.join(there)}. Give an empty one.")
            await prepare_database(connection)
            async with connection.transaction():
                await apply_all(connection, steps)
                await _fill(connection, backup, progress)
            await connection.execute(QUERIES["learn_sizes"])
        finally:
            await connection.close()


def migrations_of(backup: Backup) -> list[Migration]:
    """Give the migrations that the backup has behind it. Raises ConfigurationError if they are not all ours."""
    known = known_migrations()
    steps = [Migration(step.number, step.name, bytes.fromhex(step.checksum)) for step in backup.manifest.schema]
    missing = pending(known, steps)
    return [migration for migration in known if migration not in missing]


async def _fill(connection: Connection, backup: Backup, progress: Callable[[int], None]) -> None:
    names = [table.name for table in backup.manifest.tables]
    await connection.execute(await connection.fetchval(QUERIES["empty_tables"], names))
    # Row-level security forbids COPY, and an index is built faster over all rows than row by row.
    lifted = [
        await fetch_one(connection, QUERIES["row_security"]),
        await fetch_one(connection, QUERIES["secondary_indexes"], names),
    ]
    for one in lifted:
        await connection.execute(one["lift"])
    for table in backup.manifest.tables:
        said = await connection.copy_to_table(
            table.name, source=_pieces(backup.read(table.part), progress), columns=table.columns, format="binary"
        )
        if _count(said) != table.rows:
            raise BackupError(f"{table.name} has {_count(said)} rows, not {table.rows}.", part=table.part)
    await connection.execute(await connection.fetchval(QUERIES["count_on"], names))
    await connection.execute(QUERIES["build_memory"])
    for one in lifted:
        await connection.execute(one["impose"])


async def measure_tables(url: str, progress: Callable[[int], None]) -> dict[str, tuple[int, str]]:
    """Give the rows and the digest of each table as they are now; `progress` hears of the bytes read."""
    with translated_errors():
        connection = await connect(url, timeout_seconds=COPY_TIMEOUT_SECONDS)
        try:
            return {
                table["name"]: await _read(connection, table["statement"], lambda data: progress(len(data)))
                for table in await _tables(connection)
            }
        finally:
            await connection.close()


async def _pieces(pieces: Iterator[bytes], progress: Callable[[int], None]) -> AsyncGenerator[bytes]:
    for piece in pieces:
        yield piece
        progress(len(piece))


def step_of(migration: Migration) -> Step:
    return Step(number=migration.number, name=migration.name, checksum=migration.checksum.hex())


def _count(said: str) -> int:
    return int(said.removeprefix("COPY "))
