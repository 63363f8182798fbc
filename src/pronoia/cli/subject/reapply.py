from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pronoia.adapters.ledger_file import read_ledger
from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.options import AsJson, Data, DatabaseUrl, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.subject.opened import patient_services

if TYPE_CHECKING:
    from pronoia.config import Settings
    from pronoia.services.subjects import Reapplied


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "reapply",
        epilog=examples(
            "pronoia subject reapply --data restored --ledger data-erasures.jsonl",
            "pronoia subject reapply                # the ledger of PRONOIA_ERASURE_LEDGER, or beside the data folder",
        ),
    )(reapply)


def reapply(
    data: Data = None,
    database_url: DatabaseUrl = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="The ledger of erasures.  [default: $PRONOIA_ERASURE_LEDGER]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Erase again, after a restore, whoever was erased since the backup. Doing it twice is harmless.

    What was remembered after somebody was erased stays.
    """
    settings = settings_of(data, database_url, erasure_ledger=None if ledger is None else str(ledger))
    if not settings.erasure_ledger:
        raise typer.BadParameter("Give --ledger FILE: PRONOIA_ERASURE_LEDGER is not set.")
    found = asyncio.run(reapply_erasures(settings))
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{found.entries} erasures in the ledger; {found.erased} people were there again and are erased.")
    if found.unknown:
        print_note(f"Lines of organisations that are not in this database: {_named(found.unknown)}.")
    if found.refused:
        print_note(f"Lines that are no receipts of this database's organisations, and were not applied: "
                   f"{_named(found.refused)}.")  # fmt: skip
        raise typer.Exit(ExitCode.FAILURE)


async def reapply_erasures(settings: Settings) -> Reapplied:
    """Apply the ledger that the settings name to the database that they name. Call it after every restore.

    Raises ConfigurationError if the ledger cannot be read.
    """
    async with patient_services(settings) as services:
        return await services.subjects.reapply(read_ledger(Path(settings.erasure_ledger)))


def _named(lines: list[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:10])
    return shown if len(lines) <= 10 else f"{shown} and {len(lines) - 10} more"  # noqa: PLR2004 - enough to find them
