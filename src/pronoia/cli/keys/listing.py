from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from pronoia.cli.keys.opened import described, opened_keys
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.services.keys import PAGE

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.records import ApiKey


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", epilog=examples("pronoia keys list", "pronoia keys list --json"))(list_keys)


def list_keys(
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """List the keys, oldest first, the revoked included. Their secrets are not kept and cannot be shown."""
    keys = asyncio.run(_list(settings_of(data, database_url), organisation))
    if as_json:
        print_json([described(key) for key in keys])
    elif keys:
        Console().print(_table(keys))
    else:
        typer.echo("There is no key yet. Make one: pronoia keys create --user NAME")


async def _list(settings: Settings, organisation: UUID) -> list[ApiKey]:
    async with opened_keys(settings) as keys:
        found = page = await keys.listed(organisation)
        while len(page) == PAGE:
            page = await keys.listed(organisation, after=page[-1].id)
            found += page
        return found


def _table(keys: list[ApiKey]) -> Table:
    table = Table("id", "user", "plan", "scopes", "created", "last used", "ends", box=None)
    for key in keys:
        user = "(service)" if key.user_id is None else key.user_id
        scopes = ",".join(sorted(key.permissions))
        ends = _time(key.expires_at) if key.revoked_at is None else f"revoked {_time(key.revoked_at)}"
        table.add_row(key.id, user, key.plan, scopes, _time(key.created_at), _time(key.last_used_at), ends)
    return table


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"
