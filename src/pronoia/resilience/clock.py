from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Give the current time, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give seconds that never go backwards."""
        return time.monotonic()
