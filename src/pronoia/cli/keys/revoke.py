from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.cli.keys.opened import described, known_key, opened_keys
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.domain.identifiers import DEFAULT_ORGANISATION

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.records import ApiKey


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("revoke", epilog=examples("pronoia keys revoke 4fKq0ZxW81aB"))(revoke_key)


def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `pronoia keys list` shows.")],
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Take a key back for good. A running server refuses it within five seconds."""
    key = asyncio.run(_revoke(settings_of(data, database_url), organisation, key_id))
    if as_json:
        print_json(described(key))
    else:
        typer.echo(f"Revoked {key.id}.")


async def _revoke(settings: Settings, organisation: UUID, key_id: str) -> ApiKey:
    async with opened_keys(settings) as keys:
        with known_key(key_id):
            return await keys.revoke(organisation, key_id)
