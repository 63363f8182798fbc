from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.adapters.audit.checkpoint_files import CheckpointFiles
from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json
from pronoia.cli.storage import audit_folder, opened_database
from pronoia.domain.audit import Checkpoint
from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pronoia.config import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reseal", epilog=examples('pronoia audit reseal --reason "restored to 12:00 after the disk was lost"'))(
        reseal
    )


def reseal(
    *,
    data: Data = None,
    database_url: DatabaseUrl = None,
    reason: Annotated[str, typer.Option("--reason", help="Why rows that were signed are no longer there.")],
    as_json: AsJson = False,
) -> None:
    """Sign, after a restore, that the chains end earlier than they once did. The reason is signed with it, for good."""
    checkpoint = asyncio.run(_reseal(settings_of(data, database_url), reason))
    if as_json:
        print_json({"at": checkpoint.at, "organisations": len(checkpoint.heads), "reason": reason})
    else:
        typer.echo(f"Sealed {len(checkpoint.heads)} chains again.")


async def _reseal(settings: Settings, reason: str) -> Checkpoint:
    folder = audit_folder(settings)
    if folder is None:
        raise ConfigurationError("PRONOIA_AUDIT_FOLDER is not set, so nothing was ever signed.")
    async with opened_database(settings) as database:
        now, heads = await PostgresAuditStore(database).heads(None)
    checkpoint = Checkpoint(now, tuple(heads), reason)
    await CheckpointFiles(folder).write([checkpoint])
    return checkpoint
