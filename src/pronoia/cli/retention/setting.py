from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, Project, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import opened_services
from pronoia.domain.identifiers import DEFAULT_ORGANISATION

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.ports.retention_store import RetentionPolicy


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("set", epilog=examples("pronoia retention set --project support --days 90"))(set_retention)


def set_retention(
    project: Project,
    days: Annotated[int, typer.Option("--days", help="Days after which memories are deleted.", min=1, max=36_500)],
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Delete the memories of a project that many days after they were stored. The server looks once an hour."""
    policy = asyncio.run(_set(settings_of(data, database_url), organisation, project, days))
    if as_json:
        print_json(policy)
    else:
        typer.echo(f"Memories of {policy.project_id} are kept for {policy.days} days.")


async def _set(settings: Settings, organisation: UUID, project: str, days: int) -> RetentionPolicy:
    async with opened_services(settings) as services:
        return await services.retention.set(organisation, project, days)
