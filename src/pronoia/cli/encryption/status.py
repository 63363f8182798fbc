from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from pronoia.adapters.postgres.encryption import PostgresEncryption
from pronoia.adapters.postgres.organisation_store import PostgresOrganisationStore
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.storage import opened_database
from pronoia.composition.encryption import master_keys, open_texts

if TYPE_CHECKING:
    import typer

    from pronoia.config import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", epilog=examples("pronoia encryption status", "pronoia encryption status --json"))(status)


def status(*, data: Data = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Say which master key wraps each organisation's key, and how many rows are not encrypted. It reads all of them."""
    configured, organisations = asyncio.run(_status(settings_of(data, database_url)))
    if as_json:
        print_json({"master_keys": configured, "organisations": organisations})
        return
    print_note(f"Configured master keys: {', '.join(configured) or 'none'}")
    table = Table("organisation", "master key", "memories", "revisions", "examples", box=None)
    for one in organisations:
        table.add_row(*(str(value) for value in one.values()))
    Console().print(table)


async def _status(settings: Settings) -> tuple[list[str], list[dict[str, object]]]:
    masters = master_keys(settings)
    async with opened_database(settings) as database:
        encryption = PostgresEncryption(database, await open_texts(settings, database))
        wrapped_by = {key.organisation_id: key.master_key_id for key in await encryption.keys()}
        described: list[dict[str, object]] = []
        for organisation in await PostgresOrganisationStore(database).every():
            plain = await encryption.plain(organisation.id)
            described.append(
                {
                    "organisation": organisation.id,
                    "master_key": wrapped_by.get(organisation.id),
                    "plain_memories": plain.memories,
                    "plain_revisions": plain.revisions,
                    "plain_examples": plain.examples,
                }
            )
    return [] if masters is None else [master.id for master in await masters.read()], described
