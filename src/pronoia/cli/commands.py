from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

from pronoia.cli import (
    audit,
    backup,
    bench,
    doctor,
    encryption,
    export_memories,
    keys,
    migrate,
    organisations,
    projects,
    quarantine,
    restore,
    serve,
    subject,
    users,
)
from pronoia.cli.importing import command as import_memories
from pronoia.cli.options import examples
from pronoia.cli.output import log_to_standard_error, reported_errors
from pronoia.domain.audit import COMMAND, acting

if TYPE_CHECKING:
    from types import FrameType


class Commands(TyperGroup):
    """Reports the errors of every command in one place."""

    def invoke(self, ctx: typer.Context) -> object:  # pyright: ignore[reportIncompatibleMethodOverride] - the base names a private class
        """Run a command."""
        with reported_errors(), acting(COMMAND):
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=examples(
        "pronoia serve --first-key                  # server, database, a key and a sample memory",
        "pronoia keys create --user ada             # a key for one user",
        "pronoia import notes.jsonl --user ada      # remember a file",
        "pronoia backup --to /backups/monday        # everything, encrypted",
        "pronoia doctor                             # is everything as it should be?",
    ),
)


@app.callback()
def prepare() -> None:
    """Pronoia: a memory server for AI agents.

    Every setting is also an environment variable PRONOIA_*; docs/configuration.md lists them.
    """
    log_to_standard_error()
    signal.signal(signal.SIGTERM, _end_as_by_control_c)


def _end_as_by_control_c(_number: int, frame: FrameType | None) -> None:
    """End what a command began, too: the server and the database of a load went on running."""
    handler = signal.getsignal(signal.SIGINT)
    # An event loop that runs has a handler of its own, which cancels; where Ctrl-C is ignored there is none.
    interrupt = handler if callable(handler) else signal.default_int_handler
    interrupt(signal.SIGINT, frame)


serve.register(app)
keys.register(app)
organisations.register(app)
projects.register(app)
users.register(app)
import_memories.register(app)
export_memories.register(app)
quarantine.register(app)
subject.register(app)
migrate.register(app)
backup.register(app)
restore.register(app)
doctor.register(app)
audit.register(app)
encryption.register(app)
bench.register(app)
