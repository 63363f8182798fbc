from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    from pronoia.ports.telemetry import Meter

MOST_WAITING = 10_000
LINES_AT_ONCE = 1_000
GATHER_SECONDS = 0.05
"""How long lines wait for others: to wake the thread for each is a system call a request."""
CLOSE_SECONDS = 2.0


class LineWriter:
    """Writes lines from a thread of its own: whoever reads them slowly, or not at all, must not hold up a request.

    Beyond MOST_WAITING lines the newest are dropped, and counted.
    """

    def __init__(self, stream: BinaryIO, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter
        self._lines: deque[bytes] = deque()
        self._arrived = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take a line, and return at once."""
        if len(self._lines) >= MOST_WAITING:
            self._meter.count("log_lines_dropped_total")
            return
        self._lines.append(line)
        if not self._arrived.is_set():
            self._arrived.set()

    def flush(self) -> None:
        """Do nothing: the thread flushes whatever it writes."""

    def close(self) -> None:
        """Write what waits, for at most CLOSE_SECONDS."""
        self._closing.set()
        self._arrived.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        closing = False
        while not closing:
            self._arrived.wait()
            closing = self._closing.wait(GATHER_SECONDS)
            self._arrived.clear()
            try:
                self._write_waiting()
            except (OSError, ValueError):  # nobody reads any more, or the stream was closed
                return

    def _write_waiting(self) -> None:
        while self._lines:
            self._stream.write(b"".join(self._lines.popleft() for _ in range(min(len(self._lines), LINES_AT_ONCE))))
            self._stream.flush()
