"""Files that servers log to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_SECONDS = 10.0


def text_with(file: Path, wanted: str) -> str:
    """Read a log when it has come so far: lines are written a moment after the answer."""
    until = time.monotonic() + LONGEST_SECONDS
    while wanted not in (text := file.read_text()):
        assert time.monotonic() < until, f"{wanted} is not logged"
        time.sleep(0.01)
    return text
