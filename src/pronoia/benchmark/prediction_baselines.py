"""What prediction is compared with: five rules that count a user's own uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS_OF_A_DAY = 86_400.0
SECONDS_OF_A_WEEK = 7 * SECONDS_OF_A_DAY
DEVIATION = 5_400.0
OTHER_DAYS = 0.3
"""What a use at the same time of another day counts beside one of the same weekday."""
HALF_LIFE = 7 * SECONDS_OF_A_DAY
TIE = 1e-6
BASELINES = ("most_used", "last_used", "decayed", "markov", "time_of_week")


class BaselineUser:
    """One user's uses, and the score that each rule gives an item."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._items: list[int] = []
        self._times: list[float] = []

    def observe(self, item: str, at: float) -> None:
        """Add a use."""
        self._items.append(self.numbers.setdefault(item, len(self.numbers)))
        self._times.append(at)

    def scores(self, at: float) -> dict[str, NDArray[np.float64]]:
        """Score all items used so far, by rule; of items that a rule finds equal, the more used comes first."""
        count = len(self.numbers)
        items = np.array(self._items, dtype=np.intp)
        used = np.bincount(items, minlength=count).astype(np.float64)
        last = np.zeros(count)
        last[items] = np.arange(len(items))
        apart = at - np.array(self._times)
        decay = np.exp2(-apart / HALF_LIFE)
        alike = _alike(apart, SECONDS_OF_A_WEEK) + OTHER_DAYS * _alike(apart, SECONDS_OF_A_DAY)
        followers = items[1:][items[:-1] == items[-1]] if len(items) else items
        rules = (
            used,
            last,
            np.bincount(items, decay, count),
            np.bincount(followers, minlength=count).astype(np.float64),
            np.bincount(items, alike, count),
        )
        return {name: scores + TIE * used / max(len(items), 1) for name, scores in zip(BASELINES, rules, strict=True)}


def place_of(scores: NDArray[np.float64], number: int | None) -> float:
    """Give the place of an item, from 0, in the middle of those with its score; infinite if it is not among them."""
    if number is None:
        return np.inf
    own = scores[number]
    return float((scores > own).sum() + ((scores == own).sum() - 1) / 2)


def _alike(apart: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Give a Gaussian of how far moments lie apart on a clock with a period."""
    distance = np.mod(apart, period)
    return np.exp(-0.5 * (np.minimum(distance, period - distance) / DEVIATION) ** 2)
