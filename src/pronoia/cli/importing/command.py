from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.importing.batches import FILE, Summary, import_entries
from pronoia.cli.importing.jsonl import read_jsonl
from pronoia.cli.importing.locomo import read_locomo
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, User, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.storage import opened_services
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, new_id
from pronoia.domain.trust import Trust
from pronoia.resilience.clock import SystemClock
from pronoia.services.drafts import check_name

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.trust import Origin


class Format(StrEnum):
    """What can be read."""

    JSONL = "jsonl"
    LOCOMO = "locomo"


READERS = {Format.JSONL: read_jsonl, Format.LOCOMO: read_locomo}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "import",
        epilog=examples(
            """echo '{"text": "Ada likes tea.", "tags": ["taste"]}' > notes.jsonl""",
            "pronoia import notes.jsonl --user ada",
            "pronoia import locomo10.json --format locomo --user bench",
        ),
    )(import_file)


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True)],
    user: User,
    data: Data = None,
    database_url: DatabaseUrl = None,
    form: Annotated[
        Format, typer.Option("--format", help="jsonl: an object a line; locomo: a user <user>-<sample> a conversation.")
    ] = Format.JSONL,
    trust: Annotated[
        Trust, typer.Option("--trust", help="How far the file is to be believed; a line may say less.")
    ] = Trust.TRUSTED,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Remember a file. Started again within a day, it goes on where it was stopped and stores nothing twice.

    A line of a jsonl file has a text, and may have source, project_id, tags, metadata, session_id, agent_id, speaker,
    occurred_at and trust. What one run stores is one batch (see `pronoia batches`). A bad line is named and the rest
    goes in; the exit code is then 1.
    """
    check_name(user, "user")
    origin = replace(FILE, trust=trust, batch_id=new_id(SystemClock().now()))
    settings = settings_of(data, database_url)
    summary = asyncio.run(_import(settings, organisation, file, form, user, origin, quiet=as_json))
    _report(summary, origin, as_json=as_json)
    raise typer.Exit(ExitCode.FAILURE if summary.refused else ExitCode.SUCCESS)


async def _import(
    settings: Settings, organisation: UUID, file: Path, form: Format, user: str, origin: Origin, *, quiet: bool
) -> Summary:
    digest, total = await asyncio.to_thread(_measure, file, form)
    entries = READERS[form](file, user, settings.maximum_text_length)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as progress:
        task = progress.add_task("Importing", total=total)
        async with opened_services(settings) as services:
            return await import_entries(
                services.memories, organisation, entries, digest, lambda count: progress.advance(task, count), origin
            )


def _measure(file: Path, form: Format) -> tuple[bytes, int | None]:
    """Give the file's digest and how many entries it has, where the lines tell."""
    digest, newlines = hashlib.sha256(), 0
    with file.open("rb") as source:
        while piece := source.read(1 << 20):
            digest.update(piece)
            newlines += piece.count(b"\n")
    return digest.digest(), newlines if form is Format.JSONL else None


def _report(summary: Summary, origin: Origin, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "imported": summary.imported,
                "already_there": summary.already_there,
                "refused": summary.refused,
                "problems": summary.problems,
                "users": sorted(summary.users),
                "batch_id": origin.batch_id if summary.imported else None,
            }
        )
        return
    for problem in summary.problems:
        print_note(problem)
    before = f", {summary.already_there} were there from an earlier run" if summary.already_there else ""
    refused = f", {summary.refused} refused (see above)" if summary.refused else ""
    typer.echo(f"Imported {summary.imported} memories{before}{refused}.")
