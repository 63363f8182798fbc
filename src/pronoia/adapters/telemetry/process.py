from __future__ import annotations

import asyncio
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pronoia.ports.telemetry import Meter

LOOK_SECONDS = 1.0
KIBIBYTE = 1024
STATUS, DESCRIPTORS = Path("/proc/self/statm"), Path("/proc/self/fd")


class ProcessWatch:
    """Measures this process once a second: how late the event loop is, processor time, memory, open files."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._cpu_seconds = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        self._meter.set("process_start_time_seconds", time.time())
        self._meter.set("workers", 1)
        loop = asyncio.get_running_loop()
        while True:
            self.look()
            due = loop.time() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self._meter.observe("event_loop_lag_seconds", max(loop.time() - due, 0.0))

    def look(self) -> None:
        """Measure once."""
        used = time.process_time()
        self._meter.count("process_cpu_seconds_total", used - self._cpu_seconds)
        self._cpu_seconds = used
        self._meter.set("process_resident_memory_bytes", _resident_bytes())
        with suppress(OSError):  # only Linux tells
            self._meter.set("process_open_fds", sum(1 for _ in DESCRIPTORS.iterdir()))


def _resident_bytes() -> int:
    """Give what is in memory now; where the system does not tell, the most that ever was."""
    try:
        return int(STATUS.read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * KIBIBYTE
