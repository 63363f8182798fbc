"""How much memory this process holds, and how much it may."""

from __future__ import annotations

import os
from pathlib import Path

CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Of control groups 2 and 1; the first says `max` where there is no limit, the second a number beyond any machine."""
STATISTICS = Path("/proc/self/statm")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Give the resident memory of this process; 0 where the system does not tell (it is not Linux)."""
    try:
        return int(STATISTICS.read_bytes().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


def allowed_bytes() -> int:
    """Give what the machine has, or the container is allowed if that is less."""
    allowed = PAGE_BYTES * os.sysconf("SC_PHYS_PAGES")
    for path in CONTAINER_LIMITS:
        try:
            limit = path.read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            allowed = min(allowed, int(limit))
    return allowed
