"""What backup, restore and verify share: their options, the key, and a bar over bytes."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from pronoia.adapters.backup.encryption import read_key
from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pronoia.adapters.backup.encryption import BackupKey
    from pronoia.config import Settings
    from pronoia.services.subjects import Reapplied

KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help="The key of the backups.  [default: $PRONOIA_BACKUP_KEY_FILE]", show_default=False),
]
Archive = Annotated[
    Path | None,
    typer.Option(
        "--archive", help="The archived log that a base goes on along.  [default: $PRONOIA_WAL_ARCHIVE]",
        show_default=False,
    ),
]  # fmt: skip

Erasures = Annotated[
    Path | None,
    typer.Option("--erasures", help="The ledger of erasures.  [default: $PRONOIA_ERASURE_LEDGER]", show_default=False),
]


def with_ledger(settings: Settings, ledger: Path | None) -> Settings:
    """Name the ledger to apply, or none if none was asked for and none is there. Raises ConfigurationError."""
    if ledger is not None and not ledger.is_file():
        raise ConfigurationError(f"There is no ledger {ledger}.")
    found = ledger or Path(settings.erasure_ledger)
    return msgspec.structs.replace(settings, erasure_ledger=str(found) if found.is_file() else "")


def told_of_erasures(erasures: Reapplied | None) -> str:
    """Say what came of the ledger, in a sentence."""
    if erasures is None:
        return (
            "No ledger of erasures was found: whoever was erased since is there again. See `pronoia subject reapply`."
        )
    refused = f" Lines {erasures.refused} are no receipts and were not applied." if erasures.refused else ""
    return f"{erasures.erased} people of {erasures.entries} erasures in the ledger were erased again.{refused}"


def key_of(settings: Settings, file: Path | None) -> BackupKey:
    """Read the key that the option or the setting names. Raises ConfigurationError if neither does."""
    if file is None and not settings.backup_key_file:
        raise ConfigurationError("Backups are encrypted. Give --key-file FILE; `pronoia backup key FILE` makes one.")
    return read_key(file or Path(settings.backup_key_file))


def archive_of(settings: Settings, archive: Path | None) -> Path:
    """Give the archive that the option or the setting names. Raises ConfigurationError if neither does."""
    if archive is None and not settings.wal_archive:
        raise ConfigurationError("A base goes on along the archived log. Give --archive FOLDER.")
    return archive or Path(settings.wal_archive)


class Bar:
    """A bar over bytes, one step after another."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def step(self, name: str, total: int) -> Callable[[int], None]:
        """Begin a step, and give what is told of each number of bytes dealt with."""
        self._progress.reset(self._task, description=name, total=total)
        return self._advance

    def show(self, name: str, done: int, total: int) -> None:
        """Say how far a step is."""
        self._progress.update(self._task, description=name, completed=done, total=total)

    def _advance(self, size: int) -> None:
        self._progress.advance(self._task, size)


@contextmanager
def byte_bar(*, quiet: bool) -> Generator[Bar]:
    """Show a bar on a terminal's standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as progress:
        yield Bar(progress)
