from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, Project, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import opened_services
from pronoia.domain.identifiers import DEFAULT_ORGANISATION

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.config import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("remove", epilog=examples("pronoia retention remove --project support"))(remove_retention)


def remove_retention(
    project: Project,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Let a project keep memories for good again."""
    asyncio.run(_remove(settings_of(data, database_url), organisation, project))
    if as_json:
        print_json({"project_id": project, "days": None})
    else:
        typer.echo(f"Memories of {project} are kept for good.")


async def _remove(settings: Settings, organisation: UUID, project: str) -> None:
    async with opened_services(settings) as services:
        await services.retention.remove(organisation, project)
