"""pronoia subject: export, erase, reapply."""

from __future__ import annotations

import typer

from pronoia.cli.subject import erase, export, reapply


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="Tell what is held about a person, and erase it.", no_args_is_help=True, rich_markup_mode=None
    )
    export.register(group)
    erase.register(group)
    reapply.register(group)
    app.add_typer(group, name="subject")
