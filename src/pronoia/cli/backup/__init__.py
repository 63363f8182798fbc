"""pronoia backup, and its key and verify."""

from __future__ import annotations

import typer

from pronoia.cli.backup import create, key, verify


def register(app: typer.Typer) -> None:
    """Add the command and those below it."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    create.register(group)
    key.register(group)
    verify.register(group)
    app.add_typer(group, name="backup")
