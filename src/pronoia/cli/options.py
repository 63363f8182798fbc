"""The options that commands share, and the settings they make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from pronoia.cli.durations import duration
from pronoia.cli.exit_codes import EXPLANATION
from pronoia.config import Settings, read_settings

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the embedded PostgreSQL.  [default: $PRONOIA_DATA, else ./data]"),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url", help="PostgreSQL to use instead: postgresql://user:password@host/name.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Organisation = Annotated[
    UUID, typer.Option("--organisation", help="The id of the organisation; see `pronoia organisations list`.")
]
Expires = Annotated[
    timedelta | None,
    typer.Option("--expires", parser=duration, metavar="DURATION", help="How long from now the key works: 90d, 12h."),
]
Person = Annotated[str, typer.Option("--user", help="The person, by the user's name.", show_default=False)]
User = Annotated[str, typer.Option("--user", help="Whose memories.", show_default=False)]


def settings_of(data: Path | None, database_url: str | None, **others: str | int | None) -> Settings:
    """Read the environment; options win, and a folder on the command line wins over a URL in the environment."""
    if data is not None and database_url is not None:
        raise typer.BadParameter("Give either --data or --database-url, not both.")
    return read_settings(
        None,
        data=None if data is None else str(data),
        database_url=database_url if data is None else "",
        **others,
    )


def end_of(lasting: timedelta | None) -> datetime | None:
    """Give when what begins now is over."""
    return None if lasting is None else datetime.now(UTC) + lasting


def examples(*lines: str) -> str:
    """Write the end of a command's help, kept line by line."""
    commands = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExamples:\n{commands}\n\n{EXPLANATION}"
