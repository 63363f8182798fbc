from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from pronoia.adapters.postgres.data_keys import rotate as rotate_keys
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import opened_database
from pronoia.composition.encryption import required_master_keys

if TYPE_CHECKING:
    from pronoia.config import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rotate", epilog=examples("PRONOIA_MASTER_KEY_FILE=/keys/new:/keys/old pronoia encryption rotate"))(
        rotate
    )


def rotate(*, data: Data = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Wrap every organisation's key by the first master key, in one transaction. Servers go on meanwhile."""
    count, master_key = asyncio.run(_rotate(settings_of(data, database_url)))
    if as_json:
        print_json({"rewrapped": count, "master_key": master_key})
    else:
        typer.echo(f"Wrapped {count} keys by the master key {master_key}.")


async def _rotate(settings: Settings) -> tuple[int, str]:
    masters = required_master_keys(settings)
    async with opened_database(settings) as database:
        return await rotate_keys(database, masters), (await masters.read())[0].id
