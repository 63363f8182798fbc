"""pronoia audit: verify, list, reseal."""

from __future__ import annotations

import typer

from pronoia.cli.audit import listing, reseal, verify


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Verify and read the audit log.", no_args_is_help=True, rich_markup_mode=None)
    verify.register(group)
    listing.register(group)
    reseal.register(group)
    app.add_typer(group, name="audit")
