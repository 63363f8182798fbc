"""pronoia organisations: create, list, rename."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pronoia.adapters.postgres.organisation_store import PostgresOrganisationStore
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.storage import opened_database
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.resilience.clock import SystemClock
from pronoia.services.organisations import Organisations

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pronoia.config import Settings
    from pronoia.domain import organisations


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="Make, list and rename organisations. None sees anything of another.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command(
        "create",
        epilog=examples(
            'pronoia organisations create "Ada & Sons"',
            "ID=$(pronoia organisations create Ada --quiet)",
            "pronoia keys create --organisation $ID --user ada --role admin",
        ),
    )(create_organisation)
    group.command("list", epilog=examples("pronoia organisations list", "pronoia organisations list --json"))(
        list_organisations
    )
    group.command("rename", epilog=examples("pronoia organisations rename Ada --organisation ID"))(rename_organisation)
    app.add_typer(group, name="organisations")


def create_organisation(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people; names need not differ.")],
    data: Data = None,
    database_url: DatabaseUrl = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the id alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make an organisation, with users, projects and keys of its own."""

    async def create() -> organisations.Organisation:
        async with _opened(settings_of(data, database_url)) as opened:
            return await opened.create(name)

    made = asyncio.run(create())
    if as_json:
        print_json(made)
        return
    typer.echo(made.id)
    if not quiet:
        print_note(f"Its first key: pronoia keys create --organisation {made.id} --user NAME --role admin")


def list_organisations(data: Data = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List all organisations, oldest first."""

    async def every() -> list[organisations.Organisation]:
        async with _opened(settings_of(data, database_url)) as opened:
            return await opened.every()

    found = asyncio.run(every())
    if as_json:
        print_json(found)
    elif found:
        table = Table("id", "name", "created", box=None)
        for one in found:
            table.add_row(str(one.id), one.name, f"{one.created_at:%Y-%m-%d %H:%M}")
        Console().print(table)
    else:
        typer.echo("There is no organisation yet. The first key makes one: pronoia keys create --user NAME")


def rename_organisation(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Give an organisation another name. Its id stays."""

    async def rename() -> organisations.Organisation:
        async with _opened(settings_of(data, database_url)) as opened:
            return await opened.rename(organisation, name)

    renamed = asyncio.run(rename())
    if as_json:
        print_json(renamed)
    else:
        typer.echo(f"{renamed.id} is now called {renamed.name}.")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[Organisations]:
    async with opened_database(settings) as database:
        yield Organisations(store=PostgresOrganisationStore(database), clock=SystemClock())
