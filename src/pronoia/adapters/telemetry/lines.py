from __future__ import annotations

import threading
from queue import Full, Queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    from pronoia.ports.telemetry import Meter

MOST_WAITING = 10_000
LINES_AT_ONCE = 1_000
CLOSE_SECONDS = 2.0


class LineWriter:
    """Writes lines from a thread of its own: whoever reads them slowly, or not at all, must not hold up a request.

    Beyond MOST_WAITING lines the newest are dropped, and counted.
    """

    def __init__(self, stream: BinaryIO, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter
        self._lines: Queue[bytes | None] = Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take a line, and return at once."""
        try:
            self._lines.put_nowait(line)
        except Full:
            self._meter.count("log_lines_dropped_total")

    def flush(self) -> None:
        """Do nothing: the thread flushes whatever it writes."""

    def close(self) -> None:
        """Write what waits, for at most CLOSE_SECONDS."""
        try:
            self._lines.put(None, timeout=CLOSE_SECONDS)
        except Full:
            return
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            lines = [line]
            while len(lines) < LINES_AT_ONCE and not self._lines.empty() and line is not None:
                line = self._lines.get()
                lines.append(line or b"")
            try:
                self._stream.write(b"".join(lines))
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more, or the stream was closed
                return
            if line is None:
                return
