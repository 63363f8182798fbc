"""What every benchmark shares: services on a store of its own, and a bar that shows how far it is."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.cli.options import settings_of
from pronoia.cli.storage import opened_database, opened_services
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Permission, Plan
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable

    from pronoia.benchmark.recall_report import Table as TextTable
    from pronoia.ports.clock import Clock
    from pronoia.recall.prior import Prior
    from pronoia.services.services import Services

WIDTH = 150
"""A row with its intervals is read on one line, also where a terminal has to be scrolled."""

ScratchDatabase = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help="An empty PostgreSQL database to measure on; it keeps what was stored.  [default: a temporary one]",
        show_default=False,
    ),
]


@asynccontextmanager
async def scratch_services(
    database_url: str | None, prior: Prior | None = None, clock: Clock | None = None
) -> AsyncGenerator[Services]:
    """Open the services on the given database, or on an embedded one that is deleted afterwards.

    `prior` is what ranking starts from; None takes the shipped one. `clock` None is that of the system.
    """
    with tempfile.TemporaryDirectory(prefix="pronoia-bench-", ignore_cleanup_errors=True) as folder:
        data = None if database_url is not None else Path(folder) / "data"
        settings = settings_of(data, database_url)
        async with opened_database(settings) as database:
            keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
            await keys.create(
                user_id="benchmark",
                plan=Plan.ENTERPRISE,
                permissions=frozenset({Permission.READ}),
                organisation_id=DEFAULT_ORGANISATION,
            )
            async with opened_services(settings, prior, clock) as services:
                yield services


@contextmanager
def progress_bar(name: str, total: int) -> Generator[Callable[[], None]]:
    """Show a bar on a terminal's standard error, and give what advances it by one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(name, total=total)
        yield lambda: progress.advance(task)


def print_tables(tables: Iterable[TextTable]) -> None:
    """Draw tables for people."""
    console = Console()
    console.width = max(console.width, WIDTH)
    for one in tables:
        table = Table(*one.header, title=one.title, title_justify="left", box=None)
        for row in one.rows:
            table.add_row(*row)
        console.print(table)
        console.print()
