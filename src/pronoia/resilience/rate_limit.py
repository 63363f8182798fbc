"""The generic cell rate algorithm as a rule without state, and the blocks of cells that a process holds.

GCRA (ITU-T I.371, annex A), told in cells: `limit` of them may be saved up, and as many come back in a period. All that
is remembered of a key is its backlog: in how many seconds everything that was taken will have come back. In any time t
at most `limit * (1 + t / period)` cells are given away.
"""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 1e-6
"""Cells. Without it, who waits exactly as long as told is refused for the last bit of a float."""
BLOCK_SHARE = 1 / 200
"""A process takes so much of a limit at once: ten that each hold a block are five per cent beyond it, at worst."""
LEASE_SECONDS = 60.0
"""A block that is older is given back."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`limit` cells, above zero, may be saved up and come back in `period_seconds`."""

    limit: float
    period_seconds: float = 60.0

    @property
    def interval(self) -> float:
        """Seconds in which one cell comes back."""
        return self.period_seconds / self.limit

    @property
    def block(self) -> float:
        """Cells worth taking at once."""
        return self.limit * BLOCK_SHARE


@dataclass(frozen=True, slots=True)
class Taken:
    cells: float
    backlog_seconds: float


def take(rate: Rate, backlog_seconds: float, wanted: float, minimum: float) -> Taken:
    """Take up to `wanted` cells, or none if there are fewer than `minimum`."""
    room = rate.limit - backlog_seconds / rate.interval
    cells = max(min(wanted, room), 0.0) if room >= minimum - TOLERANCE else 0.0
    return Taken(cells, backlog_seconds + cells * rate.interval)


class Lease:
    """What one process knows of a key and holds of its cells. Times are seconds of one monotonic clock."""

    __slots__ = ("_cells", "_expires_at", "_full_at", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._cells = 0.0
        self._expires_at = 0.0
        self._full_at = 0.0

    def covers(self, price: float, now: float) -> bool:
        """Whether a price can be paid from what is held."""
        return self._cells >= price - TOLERANCE and now < self._expires_at

    def spend(self, price: float) -> None:
        """Pay a price that is covered."""
        self._cells = max(self._cells - price, 0.0)

    def refund(self, price: float) -> None:
        """Take back what was paid."""
        self._cells += price

    def surrender(self, now: float) -> float:
        """Give back a block that is too old."""
        if now < self._expires_at:
            return 0.0
        cells, self._cells = self._cells, 0.0
        return cells

    def missing(self, price: float, now: float) -> float:
        """Cells that must be taken to pay a price."""
        return max(price - self._held(now), 0.0)

    def renew(self, taken: Taken, now: float) -> None:
        """Hold what was taken, and know the backlog there is now."""
        self._cells += taken.cells
        self._expires_at = now + LEASE_SECONDS
        self._full_at = now + taken.backlog_seconds

    def backlog(self, now: float) -> float:
        """Seconds until everything has come back, as far as this process knows: others may have taken more since."""
        return max(self._full_at - now, 0.0)

    def available(self, now: float) -> float:
        """Cells that are held or could be taken, as far as this process knows."""
        return self._held(now) + self.rate.limit - self.backlog(now) / self.rate.interval

    def wait(self, price: float, now: float) -> float:
        """Seconds until a price can be paid at the soonest; 0 if it may be paid now."""
        lacking = price - self.available(now)
        return lacking * self.rate.interval if lacking > TOLERANCE else 0.0

    def _held(self, now: float) -> float:
        return self._cells if now < self._expires_at else 0.0
