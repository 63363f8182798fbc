from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import opened_services
from pronoia.domain.identifiers import DEFAULT_ORGANISATION

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.ports.retention_store import RetentionPolicy


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", epilog=examples("pronoia retention list", "pronoia retention list --json"))(list_retention)


def list_retention(
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """List how long projects keep memories. A project that is not listed keeps them for good."""
    policies = asyncio.run(_list(settings_of(data, database_url), organisation))
    if as_json:
        print_json(policies)
    else:
        typer.echo("\n".join(f"{one.project_id}: {one.days} days" for one in policies) or "All are kept for good.")


async def _list(settings: Settings, organisation: UUID) -> list[RetentionPolicy]:
    async with opened_services(settings) as services:
        return await services.retention.listed(organisation)
