"""pronoia projects: create, list, set, archive."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pronoia.adapters.postgres.organisation_store import PostgresProjectStore
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import opened_database
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.resilience.clock import SystemClock
from pronoia.services.projects import LONGEST_RETENTION_DAYS, PAGE, Projects

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.organisations import Project

Name = Annotated[str, typer.Argument(metavar="NAME", help="What memories carry as project_id.")]
Retention = Annotated[
    int | None,
    typer.Option(
        "--retention-days", min=1, max=LONGEST_RETENTION_DAYS, help="Days that memories are kept; without, for good."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="Declare projects. Memories may name any; one that is declared can have a retention.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command(
        "create",
        epilog=examples("pronoia projects create apollo", "pronoia projects create apollo --retention-days 365"),
    )(create_project)
    group.command("list", epilog=examples("pronoia projects list", "pronoia projects list --archived --json"))(
        list_projects
    )
    group.command(
        "set-retention",
        epilog=examples(
            "pronoia projects set-retention apollo --retention-days 30",
            "pronoia projects set-retention apollo                       # keep for good",
        ),
    )(set_retention)
    group.command(
        "archive", epilog=examples("pronoia projects archive apollo", "pronoia projects archive apollo --undo")
    )(archive_project)
    app.add_typer(group, name="projects")


def create_project(
    project: Name,
    data: Data = None,
    database_url: DatabaseUrl = None,
    retention_days: Retention = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Declare a project."""

    async def create() -> Project:
        async with _opened(settings_of(data, database_url)) as projects:
            return await projects.create(organisation, project, retention_days)

    _print(asyncio.run(create()), as_json)


def list_projects(
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones, too.")] = False,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """List declared projects by name."""
    found = asyncio.run(_every(settings_of(data, database_url), organisation, archived))
    if as_json:
        print_json([_described(one) for one in found])
    elif found:
        table = Table("project", "retention days", "created", "archived", box=None)
        for one in found:
            gone = "" if one.archived_at is None else f"{one.archived_at:%Y-%m-%d %H:%M}"
            table.add_row(one.id, str(one.retention_days or ""), f"{one.created_at:%Y-%m-%d %H:%M}", gone)
        Console().print(table)
    else:
        typer.echo("No project is declared. Memories may name any all the same.")


def set_retention(
    project: Name,
    data: Data = None,
    database_url: DatabaseUrl = None,
    retention_days: Retention = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Say how long a project's memories are kept."""

    async def change() -> Project:
        async with _opened(settings_of(data, database_url)) as projects:
            return await projects.change(organisation, project, retention_days=retention_days)

    _print(asyncio.run(change()), as_json)


def archive_project(
    *,
    project: Name,
    data: Data = None,
    database_url: DatabaseUrl = None,
    undo: Annotated[bool, typer.Option("--undo", help="Put it back into the list.")] = False,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Take a project out of the list. Its memories stay, and so does their retention."""

    async def change() -> Project:
        async with _opened(settings_of(data, database_url)) as projects:
            return await projects.change(organisation, project, archived=not undo)

    _print(asyncio.run(change()), as_json)


async def _every(settings: Settings, organisation: UUID, archived: bool) -> list[Project]:
    async with _opened(settings) as projects:
        found = page = await projects.listed(organisation, archived=archived)
        while len(page) == PAGE:
            page = await projects.listed(organisation, archived=archived, after=page[-1].id)
            found += page
        return found


def _print(project: Project, as_json: bool) -> None:
    if as_json:
        print_json(_described(project))
        return
    kept = "for good" if project.retention_days is None else f"for {project.retention_days} days"
    gone = "" if project.archived_at is None else " It is archived."
    typer.echo(f"{project.id} keeps its memories {kept}.{gone}")


def _described(project: Project) -> dict[str, object]:
    return {
        "project_id": project.id,
        "retention_days": project.retention_days,
        "created_at": project.created_at,
        "archived_at": project.archived_at,
    }


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[Projects]:
    async with opened_database(settings) as database:
        yield Projects(store=PostgresProjectStore(database), clock=SystemClock())
