"""pronoia encryption: status, rotate, encrypt."""

from __future__ import annotations

import typer

from pronoia.cli.encryption import encrypt, rotate, status


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="Encrypt stored texts, and change the master key.", no_args_is_help=True, rich_markup_mode=None
    )
    status.register(group)
    rotate.register(group)
    encrypt.register(group)
    app.add_typer(group, name="encryption")
