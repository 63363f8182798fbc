from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from pronoia.adapters.backup.encryption import write_new_key
from pronoia.cli.options import AsJson, examples
from pronoia.cli.output import print_json, print_note


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("key", epilog=examples("pronoia backup key backup.key"))(make_key)


def make_key(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: AsJson = False) -> None:
    """Make the key that backups are encrypted with. Nothing can read them without it."""
    name = write_new_key(file).name.hex()
    if as_json:
        print_json({"file": str(file), "name": name})
    else:
        print_note(f"Wrote {file}. Keep a copy of it away from the backups: without it they cannot be restored.")
