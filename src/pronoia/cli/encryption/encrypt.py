from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pronoia.adapters.postgres.encryption import PostgresEncryption
from pronoia.adapters.postgres.organisation_store import PostgresOrganisationStore
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import opened_database
from pronoia.composition.encryption import open_texts, required_master_keys

if TYPE_CHECKING:
    from pronoia.config import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("encrypt", epilog=examples("PRONOIA_MASTER_KEY_FILE=/keys/master pronoia encryption encrypt"))(encrypt)


def encrypt(*, data: Data = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Encrypt what was stored before. All servers must have the master key; they go on meanwhile."""
    done, left = asyncio.run(_encrypt(settings_of(data, database_url)))
    if as_json:
        print_json({"encrypted": done, "left": left})
    else:
        typer.echo(f"Encrypted {done} rows; {left} are left.")


async def _encrypt(settings: Settings) -> tuple[int, int]:
    required_master_keys(settings)
    done, left = 0, 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        async with opened_database(settings) as database:
            encryption = PostgresEncryption(database, await open_texts(settings, database))
            for organisation in await PostgresOrganisationStore(database).every():
                before = await encryption.plain(organisation.id)
                task = progress.add_task(organisation.name or str(organisation.id), total=before.total)
                async for count in encryption.encrypt(organisation.id):
                    done += count
                    progress.advance(task, count)
                left += (await encryption.plain(organisation.id)).total
    return done, left
