from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import opened_database
from pronoia.domain.audit import AuditOutcome  # noqa: TC001 - typer reads the annotations
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.ports.audit import AuditFilters

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.audit import AuditRow


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "list",
        epilog=examples(
            "pronoia audit list --limit 20",
            "pronoia audit list --outcome refused --json",
            "pronoia audit list --organisation 00000000-0000-0000-0000-000000000000   # of the instance",
        ),
    )(list_rows)


def list_rows(
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    action: Annotated[str | None, typer.Option("--action", help="Such as memory_created.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Such as key:4fKq0ZxW81aB.")] = None,
    outcome: Annotated[AuditOutcome | None, typer.Option("--outcome", help="What became of it.")] = None,
    before: Annotated[int | None, typer.Option("--before", min=1, help="Rows below this number.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Rows at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was done and refused, newest first."""
    filters = AuditFilters(actions=None if action is None else [action], actor=actor, outcome=outcome)
    rows = asyncio.run(_rows(settings_of(data, database_url), organisation, filters, before, limit))
    if as_json:
        print_json([_described(row) for row in rows])
    else:
        Console().print(_table(rows))


async def _rows(
    settings: Settings, organisation: UUID, filters: AuditFilters, before: int | None, limit: int
) -> list[AuditRow]:
    async with opened_database(settings) as database:
        return await PostgresAuditStore(database).rows(organisation, filters, before=before, offset=0, limit=limit)


def _described(row: AuditRow) -> dict[str, object]:
    return {
        "number": row.number,
        "at": row.at,
        "action": row.action,
        "outcome": row.outcome,
        "actor": row.actor,
        "subject": row.subject,
        "route": row.route,
        "request_id": row.request_id,
        "details": row.details,
        "hash": row.hash.hex(),
    }


def _table(rows: list[AuditRow]) -> Table:
    table = Table("number", "at", "action", "outcome", "actor", "route", "details", box=None)
    for row in rows:
        at = f"{row.at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(row.number), at, row.action, row.outcome, row.actor, row.route or "", row.details)
    return table
