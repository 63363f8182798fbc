"""What postmaster.pid, the lock file of a running PostgreSQL, tells (PostgreSQL: src/include/utils/pidfile.h)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROCESS_LINE, SOCKET_LINE, STATUS_LINE = 0, 4, 7


@dataclass(frozen=True, slots=True)
class LockFile:
    """One reading of the file. A field that is not written yet is None."""

    process: int
    socket_folder: Path | None
    is_ready: bool


def read_lock_file(file: Path) -> LockFile | None:
    """Read the file; None if there is none, or none that a server has finished writing."""
    try:
        lines = file.read_text().splitlines()
        process = int(lines[PROCESS_LINE])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    socket_folder = lines[SOCKET_LINE] if len(lines) > SOCKET_LINE else ""
    status = lines[STATUS_LINE].strip() if len(lines) > STATUS_LINE else ""
    return LockFile(process, Path(socket_folder) if socket_folder else None, status == "ready")


def remove_lock_of_the_dead(file: Path) -> None:
    """Remove the lock of a server that has died and that its parent process never buried.

    PostgreSQL takes such a process for a living one, and in a container whose first process buries nobody it would
    never start again. Its other lock, on shared memory, still keeps two servers apart.
    """
    lock = read_lock_file(file)
    if lock is not None and _is_dead(lock.process):
        file.unlink(missing_ok=True)


def _is_dead(process: int) -> bool:
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False  # gone, as PostgreSQL sees by itself, or a system without /proc
    return text.rpartition(")")[2].split()[0] == "Z"
