"""A backup becomes a database again: checked before anything is written, brought to this version, the erased erased."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pronoia.adapters.backup.folder import Backup
from pronoia.adapters.postgres.audit_store import record_of_instance
from pronoia.adapters.postgres.base_backup import restore_base
from pronoia.adapters.postgres.embedded import EmbeddedPostgres
from pronoia.adapters.postgres.migrations import migrate
from pronoia.adapters.postgres.new_folder import new_data_folder
from pronoia.adapters.postgres.table_copies import copy_in, measure_tables, migrations_of
from pronoia.cli.subject.reapply import reapply_erasures
from pronoia.domain.audit import AuditAction

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.adapters.backup.encryption import BackupKey
    from pronoia.cli.backup.shared import Bar
    from pronoia.config import Settings
    from pronoia.services.subjects import Reapplied


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
    erasures: Reapplied | None = None
    """What was erased again; None without a ledger."""
    found: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Of a verification: rows and digest of each table, before any migration."""


def opened_backup(folder: Path, key: BackupKey, bar: Bar) -> Backup:
    """Open a backup, and hold every part against its manifest. Raises BackupError and ConfigurationError."""
    backup = Backup(folder, key)
    migrations_of(backup)
    backup.check(bar.step("Checking", backup.size))
    return backup


async def restore_into_folder(
    settings: Settings, backup: Backup, way: Way | None, bar: Bar, *, measured: bool = False
) -> Restored:
    """Restore into a new data folder; if anything fails it is empty again. `way` is for a base, and needed for it."""
    data = Path(settings.data)
    with new_data_folder(data):
        if way is not None:
            await restore_base(data, backup, way.archive, way.until, bar.step("Unpacking", backup.size))
        server = EmbeddedPostgres(data)
        try:
            url = await server.start()
            return await restore_into_database(
                msgspec.structs.replace(settings, database_url=url, database_direct_url=""),
                backup,
                bar,
                measured=measured,
            )
        finally:
            await server.stop()


async def restore_into_database(settings: Settings, backup: Backup, bar: Bar, *, measured: bool = False) -> Restored:
    """Fill an empty database, unless a base filled it already, bring it to this version, and erase the erased again."""
    url = settings.database_direct_url or settings.database_url
    if backup.manifest.kind == "tables":
        await copy_in(url, backup, bar.step("Restoring", sum(table.size for table in backup.manifest.tables)))
    found = await measure_tables(url, bar.step("Comparing", backup.size)) if measured else {}
    migrated = [migration.name for migration in await migrate(url)]
    manifest = backup.manifest
    await record_of_instance(
        url, AuditAction.DATABASE_RESTORED, kind=manifest.kind, backup_of=manifest.created_at, migrated=len(migrated)
    )
    erasures = await reapply_erasures(settings) if settings.erasure_ledger else None
    return Restored(migrated, erasures, found)
