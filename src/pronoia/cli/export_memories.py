from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import typer

from pronoia.adapters.postgres.memory_store import PostgresMemoryStore
from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, User, examples, settings_of
from pronoia.cli.output import print_json, print_note, private_file
from pronoia.cli.storage import opened_database
from pronoia.composition.encryption import open_texts
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope
from pronoia.domain.records import Filters

if TYPE_CHECKING:
    from uuid import UUID

    from pronoia.config import Settings
    from pronoia.domain.records import Memory

PAGE = 500


class Format(StrEnum):
    """What can be written."""

    JSONL = "jsonl"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "export",
        epilog=examples(
            "pronoia export --user ada > ada.jsonl",
            "pronoia export --user ada --output ada.jsonl --json      # the file, and a summary",
        ),
    )(export_memories)


def export_memories(
    user: User,
    data: Data = None,
    database_url: DatabaseUrl = None,
    form: Annotated[Format, typer.Option("--format", help="One JSON object a line.")] = Format.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", help="File to write, readable by you alone; standard output otherwise.")
    ] = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Write all memories of a user, newest first. `pronoia import` reads what this writes."""
    if as_json and output is None:
        raise typer.BadParameter("Give --output FILE with --json: the summary needs standard output.")
    settings = settings_of(data, database_url)
    with private_file(output) if output is not None else nullcontext(sys.stdout.buffer) as file:
        count = asyncio.run(_export(settings, Scope(organisation, user), file))
    if as_json:
        print_json({"exported": count, "format": form, "output": str(output)})
    elif output is not None:
        print_note(f"Exported {count} memories to {output}.")


async def _export(settings: Settings, scope: Scope, file: BinaryIO) -> int:
    count = 0
    async with opened_database(settings) as database:
        texts = await open_texts(settings, database)
        store = PostgresMemoryStore(database, resident_limit=settings.resident_limit, texts=texts)
        before: UUID | None = None
        while True:
            memories, _ = await store.page(scope, Filters(), before, 0, PAGE)
            file.writelines(_line(memory) for memory in memories)
            count += len(memories)
            if len(memories) < PAGE:
                break
            before = memories[-1].id
    file.flush()
    return count


def _line(memory: Memory) -> bytes:
    fields = msgspec.to_builtins(memory)
    return msgspec.json.encode({**fields, "metadata": msgspec.Raw(memory.metadata.encode())}) + b"\n"
