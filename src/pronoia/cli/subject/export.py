from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing, nullcontext
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from pronoia.adapters.postgres.audit_store import PostgresAuditStore
from pronoia.adapters.postgres.subject_store import PostgresSubjectStore
from pronoia.cli.options import Data, DatabaseUrl, Organisation, Person, examples, settings_of
from pronoia.cli.output import print_note, private_file
from pronoia.cli.storage import opened_database
from pronoia.composition.encryption import open_texts
from pronoia.domain.audit import AuditAction
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope
from pronoia.resilience.clock import SystemClock
from pronoia.services.audit.audit import Audit
from pronoia.services.subjects import exported

if TYPE_CHECKING:
    from pronoia.config import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "export",
        epilog=examples(
            "pronoia subject export --user ada > ada.jsonl",
            "pronoia subject export --user ada --output ada.jsonl",
        ),
    )(export_subject)


def export_subject(
    user: Person,
    data: Data = None,
    database_url: DatabaseUrl = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="File to write, readable by you alone; standard output otherwise.")
    ] = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
) -> None:
    """Write all that is held about a person: a JSON object a line, typed by its table, and a manifest at the end.

    A running server writes what was used a tenth of a second late, and what it learned five.
    """
    settings = settings_of(data, database_url)
    with private_file(output) if output is not None else nullcontext(sys.stdout.buffer) as file:
        asyncio.run(_export(settings, Scope(organisation, user), file))
    if output is not None:
        print_note(f"Exported to {output}.")


async def _export(settings: Settings, scope: Scope, file: BinaryIO) -> None:
    async with opened_database(settings) as database:
        audit = Audit(store=PostgresAuditStore(database), clock=SystemClock())
        await audit.record(scope.organisation_id, AuditAction.PERSON_EXPORTED, user_id=scope.user_id)
        store = PostgresSubjectStore(
            database, direct_url=settings.database_direct_url, texts=await open_texts(settings, database)
        )
        async with aclosing(exported(store, scope, SystemClock().now())) as lines:
            async for some in lines:
                file.write(some)
    file.flush()
