from __future__ import annotations

import asyncio
from datetime import timedelta  # noqa: TC003 - typer resolves the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.cli.durations import duration
from pronoia.cli.keys.opened import described, known_key, opened_keys
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Expires, Organisation, end_of, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.domain.identifiers import DEFAULT_ORGANISATION

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.records import ApiKey


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "rotate",
        epilog=examples(
            "pronoia keys rotate 4fKq0ZxW81aB                  # both secrets work for a day",
            "pronoia keys rotate 4fKq0ZxW81aB --overlap 0s     # the old one leaked: it stops at once",
            "pronoia keys rotate 4fKq0ZxW81aB --replace        # the new one was lost: make another",
        ),
    )(rotate_key)


def rotate_key(
    *,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `pronoia keys list` shows.")],
    data: Data = None,
    database_url: DatabaseUrl = None,
    overlap: Annotated[
        timedelta,
        typer.Option(
            "--overlap", parser=duration, metavar="DURATION", help="How long the former secret works: 24h, 7d, 0s."
        ),
    ] = "24h",  # pyright: ignore[reportArgumentType] - the parser reads it
    replace: Annotated[
        bool,
        typer.Option("--replace", help="While a former secret still works: stop the one made last, and make another."),
    ] = False,
    expires: Expires = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the key alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret. The former one works beside it for a while, so clients can change one by one."""
    settings = settings_of(data, database_url)
    key, text = asyncio.run(_rotate(settings, organisation, key_id, overlap, replace, end_of(expires)))
    if as_json:
        print_json({"key": text, **described(key)})
        return
    typer.echo(text)
    if quiet:
        return
    if key.previous_valid_until is None:
        print_note("The former secret stops within five seconds.")
    else:
        print_note(f"The former secret works until {key.previous_valid_until:%Y-%m-%d %H:%M} UTC. Change your clients.")


async def _rotate(
    settings: Settings, organisation: UUID, key_id: str, overlap: timedelta, replace: bool, expires_at: datetime | None
) -> tuple[ApiKey, str]:
    async with opened_keys(settings) as keys:
        with known_key(key_id):
            return await keys.rotate(organisation, key_id, overlap=overlap, replace_new=replace, expires_at=expires_at)
