"""pronoia keys: create, list, rotate, revoke."""

from __future__ import annotations

import typer

from pronoia.cli.keys import create, listing, revoke, rotate


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True, rich_markup_mode=None)
    create.register(group)
    listing.register(group)
    rotate.register(group)
    revoke.register(group)
    app.add_typer(group, name="keys")
