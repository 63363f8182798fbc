from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pronoia.cli.backup.restoring import Way, opened_backup, restore_into_folder
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
from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.options import AsJson, examples, settings_of
from pronoia.cli.output import print_json, print_note

if TYPE_CHECKING:
    from pronoia.adapters.backup.folder import Manifest
    from pronoia.cli.backup.restoring import Restored


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("verify", epilog=examples("pronoia backup verify /backups/monday --key-file backup.key"))(verify)


def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER")],
    key_file: KeyFile = None,
    archive: Archive = None,
    erasures: Erasures = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a temporary server and compare every table with what was backed up. Run it every night."""
    settings = with_ledger(settings_of(None, None), erasures)
    began = time.monotonic()
    with (
        byte_bar(quiet=as_json) as bar,
        tempfile.TemporaryDirectory(prefix="pronoia-verify-", ignore_cleanup_errors=True) as scratch,
    ):
        backup = opened_backup(folder, key_of(settings, key_file), bar)
        way = Way(archive_of(settings, archive)) if backup.manifest.kind == "base" else None
        target = msgspec.structs.replace(settings, data=str(Path(scratch) / "data"), database_url="")
        restored = asyncio.run(restore_into_folder(target, backup, way, bar, measured=True))
    differences = _differences(backup.manifest, restored)
    rows = {name: count for name, (count, _) in restored.found.items()}
    if as_json:
        report = {"folder": str(folder), "created_at": backup.manifest.created_at, "rows": rows,
                  "differences": differences, "migrated": restored.migrated, "erasures": restored.erasures,
                  "seconds": round(time.monotonic() - began, 2)}  # fmt: skip
        print_json(report)
    else:
        for difference in differences:
            print_note(difference)
        equal = "differs from" if differences else "equals"
        typer.echo(f"What was restored {equal} what was backed up: {sum(rows.values()):,} rows in {len(rows)} tables.")
        print_note(told_of_erasures(restored.erasures))
    raise typer.Exit(ExitCode.FAILURE if differences else ExitCode.SUCCESS)


def _differences(manifest: Manifest, restored: Restored) -> list[str]:
    """Say which tables of a backup of tables came back otherwise. A base has its own checksums on every page."""
    found = [(table, restored.found.get(table.name, (0, ""))) for table in manifest.tables]
    return [
        f"{table.name}: {rows} rows with digest {digest}, not {table.rows} with {table.digest}"
        for table, (rows, digest) in found
        if (rows, digest) != (table.rows, table.digest)
    ]
