from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.adapters.backup.folder import BackupWriter, Manifest
from pronoia.adapters.postgres.audit_store import record_of_instance
from pronoia.adapters.postgres.base_backup import copy_base
from pronoia.adapters.postgres.table_copies import copy_out, step_of
from pronoia.cli.backup.shared import Bar, KeyFile, byte_bar, key_of
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.storage import embedded_server, running_postgres
from pronoia.domain.audit import AuditAction
from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pronoia.config import Settings


def register(group: typer.Typer) -> None:
    """Make it what the group does by itself."""
    group.callback(
        epilog=examples(
            "pronoia backup key backup.key                     # once; keep a copy apart from the backups",
            "pronoia backup --to /backups/monday --key-file backup.key",
            "pronoia backup verify /backups/monday --key-file backup.key",
        ),
    )(back_up)


def back_up(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option("--to", help="New folder for the backup.", metavar="FOLDER", show_default=False)
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    key_file: KeyFile = None,
    base: Annotated[
        bool,
        typer.Option("--base", help="Copy the embedded PostgreSQL whole, to go on from along the archived log."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Back up everything as it is at one moment, encrypted, while the server runs. `pronoia restore` brings it back."""
    if context.invoked_subcommand is not None:
        return
    if to is None:
        raise typer.BadParameter("Give --to FOLDER.")
    settings = settings_of(data, database_url)
    if base and settings.database_url:
        raise ConfigurationError("--base is for the embedded PostgreSQL. Back a server of your own up by its tools.")
    began = time.monotonic()
    backup = BackupWriter(to, key_of(settings, key_file))
    with byte_bar(quiet=as_json) as bar:
        manifest = asyncio.run((_base if base else _tables)(settings, backup, bar))
    backup.finish(manifest)
    _report(to, manifest, time.monotonic() - began, as_json=as_json)


async def _tables(settings: Settings, backup: BackupWriter, bar: Bar) -> Manifest:
    began = datetime.now(UTC)
    async with running_postgres(settings) as url:
        owner = (settings.database_direct_url if settings.database_url else "") or url
        await _tell(owner, "tables")
        copied = await copy_out(owner, backup, bar.show)
    return Manifest(
        kind="tables",
        created_at=began,
        postgres=copied.postgres,
        schema=copied.schema,
        parts=backup.parts,
        tables=copied.tables,
    )


async def _base(settings: Settings, backup: BackupWriter, bar: Bar) -> Manifest:
    began = datetime.now(UTC)
    server = embedded_server(settings)
    url = await server.start()
    try:
        await _tell(url, "base")
        base = await copy_base(server, backup, lambda done, total: bar.show("base", done, total))
    finally:
        await server.stop()
    return Manifest(
        kind="base",
        created_at=began,
        postgres=base.postgres,
        schema=[step_of(migration) for migration in base.schema],
        parts=backup.parts,
        first_segment=base.first_segment,
    )


async def _tell(url: str, kind: str) -> None:
    """Tell the audit log before anything is read."""
    if not await record_of_instance(url, AuditAction.BACKUP_BEGUN, kind=kind):
        print_note("The audit log is not told of this backup: here it is not there, or cannot be written.")


def _report(to: Path, manifest: Manifest, seconds: float, *, as_json: bool) -> None:
    size = sum(part.size for part in manifest.parts)
    if as_json:
        print_json(
            {
                "folder": str(to),
                "kind": manifest.kind,
                "created_at": manifest.created_at,
                "schema": manifest.schema[-1].name,
                "bytes": size,
                "rows": {table.name: table.rows for table in manifest.tables},
                "first_segment": manifest.first_segment,
                "seconds": round(seconds, 2),
            }
        )
        return
    what = f"{sum(table.rows for table in manifest.tables):,} rows" if manifest.tables else "The database"
    typer.echo(
        f"{what} in {to}: {size / 1e6:,.1f} MB in {seconds:.1f} s, as of {manifest.created_at:%Y-%m-%d %H:%M:%S}Z."
    )
