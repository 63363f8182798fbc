"""pronoia retention: set, list, remove."""

from __future__ import annotations

import typer

from pronoia.cli.retention import listing, removing, setting


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Say how long projects keep memories.", no_args_is_help=True, rich_markup_mode=None)
    setting.register(group)
    listing.register(group)
    removing.register(group)
    app.add_typer(group, name="retention")
