from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.cli.backup.restoring import Way, opened_backup, restore_into_database, restore_into_folder
from pronoia.cli.backup.shared import (
    Archive,
    Erasures,
    KeyFile,
    archive_of,
    byte_bar,
    key_of,
    told_of_erasures,
    with_ledger,
)
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pronoia.adapters.backup.folder import Backup
    from pronoia.cli.backup.restoring import Restored
    from pronoia.cli.backup.shared import Bar
    from pronoia.config import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "restore",
        epilog=examples(
            "pronoia restore --from /backups/monday --data restored --key-file backup.key",
            "pronoia restore --from /backups/base --data restored --archive /archive --to-time 2026-11-25T14:00:00Z",
        ),
    )(restore)


def restore(
    source: Annotated[Path, typer.Option("--from", help="Folder of the backup.", metavar="FOLDER")],
    data: Data = None,
    database_url: DatabaseUrl = None,
    key_file: KeyFile = None,
    archive: Archive = None,
    erasures: Erasures = None,
    to_time: Annotated[
        str | None,
        typer.Option("--to-time", help="Go on from a base as far as this moment, such as 2026-11-25T14:00:00Z."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a new data folder or an empty database, bring it to this version, erase the erased again.

    Every part is checked before anything is written, and a restore that fails leaves nothing behind.
    """
    settings = with_ledger(settings_of(data, database_url), erasures)
    until = None if to_time is None else _moment(to_time)
    began = time.monotonic()
    with byte_bar(quiet=as_json) as bar:
        backup = opened_backup(source, key_of(settings, key_file), bar)
        restored = asyncio.run(_restore(settings, backup, _way(settings, backup, archive, until), bar))
    _report(settings, backup, restored, time.monotonic() - began, as_json=as_json)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"{text!r} is no time with a zone, such as 2026-11-25T14:00:00Z.", param_hint="--to-time"
        )
    return moment


def _way(settings: Settings, backup: Backup, archive: Path | None, until: datetime | None) -> Way | None:
    if backup.manifest.kind == "base":
        if settings.database_url:
            raise ConfigurationError("A base is a whole PostgreSQL folder. Restore it into --data FOLDER.")
        return Way(archive_of(settings, archive), until)
    if until is not None:
        raise ConfigurationError("This backup is of one moment. For --to-time, restore one made with --base.")
    return None


async def _restore(settings: Settings, backup: Backup, way: Way | None, bar: Bar) -> Restored:
    if settings.database_url:
        return await restore_into_database(settings, backup, bar)
    return await restore_into_folder(settings, backup, way, bar)


def _report(settings: Settings, backup: Backup, restored: Restored, seconds: float, *, as_json: bool) -> None:
    manifest = backup.manifest
    if as_json:
        print_json(
            {
                "kind": manifest.kind,
                "created_at": manifest.created_at,
                "rows": {table.name: table.rows for table in manifest.tables},
                "migrated": restored.migrated,
                "erasures": restored.erasures,
                "seconds": round(seconds, 2),
            }
        )
        return
    target = "the database" if settings.database_url else settings.data
    migrated = f" Applied {len(restored.migrated)} newer migrations." if restored.migrated else ""
    typer.echo(
        f"Restored the backup of {manifest.created_at:%Y-%m-%d %H:%M:%S}Z into {target} in {seconds:.1f} s.{migrated}"
    )
    print_note(told_of_erasures(restored.erasures))
