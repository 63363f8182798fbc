"""pronoia quarantine: list, add, release; pronoia batches: list, rollback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from pronoia.cli.options import AsJson, Data, DatabaseUrl, Organisation, User, examples, settings_of
from pronoia.cli.output import print_json, print_note
from pronoia.cli.storage import opened_services
from pronoia.domain.identifiers import DEFAULT_ORGANISATION, Scope
from pronoia.ports.quarantine_store import Selection
from pronoia.services.quarantine import PAGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pronoia.config import Settings
    from pronoia.ports.quarantine_store import Batch, Moved, QuarantinedMemory
    from pronoia.services.quarantine import Quarantine

LONGEST_TEXT = 60
Result = TypeVar("Result")

MemoryIds = Annotated[list[UUID] | None, typer.Argument(metavar="[MEMORY]...", help="Ids of memories.")]
BatchId = Annotated[UUID | None, typer.Option("--batch", help="What one call or import wrote.")]
KeyId = Annotated[str | None, typer.Option("--key", help="What a key wrote, or changed last.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Rows listed at most.")]
Source = Annotated[str | None, typer.Option("--source", help="What came from a source.")]


def register(app: typer.Typer) -> None:
    """Add the two groups of commands."""
    group = typer.Typer(help="Take poisoned memories out of use, and bring them back.", no_args_is_help=True)
    group.command("list", epilog=examples("pronoia quarantine list --user ada"))(list_quarantined)
    group.command(
        "add",
        epilog=examples(
            "pronoia quarantine add 0198c0de-0000-7000-8000-000000000000 --user ada",
            'pronoia quarantine add --key pk_1 --user ada --reason "The key leaked"   # all that the key wrote',
        ),
    )(add)
    group.command("release", epilog=examples("pronoia quarantine release --source mail --user ada"))(release)
    app.add_typer(group, name="quarantine")
    batches = typer.Typer(help="List what calls and imports wrote, and roll it back.", no_args_is_help=True)
    batches.command("list", epilog=examples("pronoia batches list --user ada"))(list_batches)
    batches.command(
        "rollback", epilog=examples("pronoia batches rollback 0198c0de-0000-7000-8000-000000000000 --user ada")
    )(rollback)
    app.add_typer(batches, name="batches")


def list_quarantined(
    user: User,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    limit: Limit = PAGE,
    as_json: AsJson = False,
) -> None:
    """List what is quarantined or rolled back, newest first."""
    scope, settings = Scope(organisation, user), settings_of(data, database_url)
    found = asyncio.run(_with(settings, lambda one: one.listed(scope, limit=limit)))
    _print_rows(found, ("memory", "trust", "key", "batch", "text", "reason"), _quarantined, as_json)


def add(
    memory_ids: MemoryIds = None,
    *,
    user: User,
    batch: BatchId = None,
    key: KeyId = None,
    source: Source = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Shown in the list.")] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Take up to 10,000 memories out of use. They stay so until they are released."""
    scope, selection = Scope(organisation, user), _selection(memory_ids, batch, key, source)
    settings = settings_of(data, database_url)
    _report("Quarantined", asyncio.run(_with(settings, lambda one: one.add(scope, selection, reason))), as_json)


def release(
    memory_ids: MemoryIds = None,
    *,
    user: User,
    batch: BatchId = None,
    key: KeyId = None,
    source: Source = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Bring up to 10,000 memories back that are quarantined or rolled back."""
    scope, selection = Scope(organisation, user), _selection(memory_ids, batch, key, source)
    settings = settings_of(data, database_url)
    _report("Released", asyncio.run(_with(settings, lambda one: one.release(scope, selection))), as_json)


def list_batches(
    user: User,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    limit: Limit = PAGE,
    as_json: AsJson = False,
) -> None:
    """List what calls and imports wrote, newest first."""
    scope, settings = Scope(organisation, user), settings_of(data, database_url)
    found = asyncio.run(_with(settings, lambda one: one.batches(scope, limit=limit)))
    _print_rows(found, ("batch", "written", "by", "key", "trust", "memories", "out of use"), _batch, as_json)


def rollback(
    batch: Annotated[UUID, typer.Argument(metavar="BATCH")],
    user: User,
    data: Data = None,
    database_url: DatabaseUrl = None,
    organisation: Organisation = DEFAULT_ORGANISATION,
    as_json: AsJson = False,
) -> None:
    """Take all that a batch wrote out of use. For 30 days `pronoia quarantine release --batch` undoes it."""
    scope = Scope(organisation, user)
    settings = settings_of(data, database_url)
    _report("Rolled back", asyncio.run(_with(settings, lambda one: one.rollback(scope, batch))), as_json)


def _selection(memory_ids: list[UUID] | None, batch: UUID | None, key: str | None, source: str | None) -> Selection:
    return Selection(tuple(memory_ids) if memory_ids else None, batch, key, source)


def _quarantined(one: QuarantinedMemory) -> tuple[object, ...]:
    key, batch = ("", "") if one.provenance is None else (one.provenance.key_id, one.provenance.batch_id)
    reason = "rolled back" if one.rolled_back else one.reason
    return one.id, one.trust, key, batch, one.text[:LONGEST_TEXT], reason


def _batch(one: Batch) -> tuple[object, ...]:
    return one.id, f"{one.at:%Y-%m-%d %H:%M}", one.route, one.key_id, one.trust, one.memory_count, one.out_of_use


def _print_rows(
    found: list[Result], columns: tuple[str, ...], cells: Callable[[Result], tuple[object, ...]], as_json: bool
) -> None:
    if as_json:
        print_json(found)
        return
    table = Table(*columns, box=None)
    for one in found:
        table.add_row(*("" if cell is None else str(cell) for cell in cells(one)))
    Console().print(table)


def _report(what: str, moved: Moved, as_json: bool) -> None:
    if as_json:
        print_json({"memory_ids": moved.memory_ids, "count": len(moved.memory_ids), "action_id": moved.action_id})
    else:
        print_note(f"{what} {len(moved.memory_ids)} memories.")


async def _with(settings: Settings, work: Callable[[Quarantine], Awaitable[Result]]) -> Result:
    async with opened_services(settings) as services:
        return await work(services.quarantine)
