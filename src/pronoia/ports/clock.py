"""Time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    def now(self) -> datetime:
        """Give the current time, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Give seconds that never go backwards."""
        ...
