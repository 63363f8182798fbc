"""A backup becomes a database again: checked before anything is written, brought to this version, the erased erased."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pronoia.adapters.backup.folder import Backup
from pronoia.adapters.postgres.base_backup import restore_base
from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.migrations import migrate
from pronoia.adapters.postgres.new_folder import new_data_folder
from pronoia.adapters.postgres.table_copies import copy_in, measure_tables, migrations_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pronoia.adapters.backup.encryption import BackupKey
    from pronoia.cli.backup.shared import Bar


@dataclass(frozen=True, slots=True)
class Way:
    """Along which log a base goes on, and as far as when: None for all of it."""

    archive: Path
    until: datetime | None = None


@dataclass(slots=True)
class Restored:
    """What came back."""

    migrated: list[str]
    """Migrations that the backup did not have."""
    found: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Of a verification: rows and digest of each table, before any migration."""


def opened_backup(folder: Path, key: BackupKey, bar: Bar) -> Backup:
    """Open a backup, and hold every part against its manifest. Raises BackupError and ConfigurationError."""
    backup = Backup(folder, key)
    migrations_of(backup)
    backup.check(bar.step("Checking", backup.size))
    return backup


async def restore_into_folder(
    backup: Backup, data: Path, way: Way | None, bar: Bar, *, measured: bool = False
) -> Restored:
    """Restore into a new data folder; if anything fails it is empty again. `way` is for a base, and needed for it."""
    with new_data_folder(data):
        if way is not None:
            await restore_base(data, backup, way.archive, way.until, bar.step("Unpacking", backup.size))
        server = EmbeddedPostgres(data)
        try:
            return await restore_into_database(backup, await server.start(), bar, measured=measured)
        finally:
            await server.stop()


async def restore_into_database(backup: Backup, url: str, bar: Bar, *, measured: bool = False) -> Restored:
    """Fill an empty database, unless a base filled it already, and bring it to this version."""
    if backup.manifest.kind == "tables":
        await copy_in(url, backup, bar.step("Restoring", sum(table.size for table in backup.manifest.tables)))
    found = await measure_tables(url, bar.step("Comparing", backup.size)) if measured else {}
    return Restored([migration.name for migration in await migrate(url)], found)
