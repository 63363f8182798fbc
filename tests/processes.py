"""What becomes of processes that a test started."""

from __future__ import annotations

import psutil


def has_ended(process: psutil.Process) -> bool:
    """Say whether a process is over, even if nobody took notice yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
