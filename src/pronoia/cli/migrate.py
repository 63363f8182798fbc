from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from pronoia.adapters.postgres.migrations import migrate
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import running_postgres

if TYPE_CHECKING:
    from pronoia.config import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "migrate",
        epilog=examples(
            "pronoia migrate --data data",
            "pronoia migrate --database-url postgresql://pronoia@db.example/pronoia",
        ),
    )(migrate_database)


def migrate_database(data: Data = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Bring the database to this version. The server does it too when it starts; doing it twice is harmless."""
    names = asyncio.run(_migrate(settings_of(data, database_url)))
    if as_json:
        print_json({"applied": names})
    elif names:
        typer.echo("\n".join(f"applied {name}" for name in names))
    else:
        typer.echo("The database is up to date.")


async def _migrate(settings: Settings) -> list[str]:
    async with running_postgres(settings) as url:
        return [migration.name for migration in await migrate(settings.database_direct_url or url)]
