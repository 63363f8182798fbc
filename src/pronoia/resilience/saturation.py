"""How full the server is: the fullest of its resources, each as a number that is 1 where it can take no more."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TICK_SECONDS = 0.1
MEMORY_SECONDS = 1.0
"""Time constant of the smoothing: half of a change shows after 0.7 s, and a single stall is no overload."""
MOST = 2.0
"""What a reading counts at most, or a long stall would be remembered longer than it lasted."""
LOOP_LAG = "loop_lag"


class Saturation:
    """Reads every signal at each tick, and smooths it."""

    def __init__(
        self,
        signals: Mapping[str, Callable[[], float]],
        *,
        loop_lag_limit_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signals = signals
        self._loop_lag_limit_seconds = loop_lag_limit_seconds
        self._monotonic = monotonic
        self._values = dict.fromkeys((LOOP_LAG, *signals), 0.0)

    def values(self) -> dict[str, float]:
        """Give every signal, smoothed."""
        return dict(self._values)

    @property
    def highest(self) -> float:
        return max(self._values.values())

    def observe(self, loop_lag_seconds: float) -> None:
        """Read the signals once. `loop_lag_seconds` is how much later than asked for the loop woke us."""
        weight = 1 - math.exp(-(TICK_SECONDS + loop_lag_seconds) / MEMORY_SECONDS)
        readings = {LOOP_LAG: loop_lag_seconds / self._loop_lag_limit_seconds}
        readings.update((name, read()) for name, read in self._signals.items())
        for name, reading in readings.items():
            self._values[name] += weight * (min(reading, MOST) - self._values[name])

    async def run(self, observed: Callable[[], None]) -> None:
        """Observe until cancelled, and say so each time."""
        while True:
            asked_at = self._monotonic()
            await asyncio.sleep(TICK_SECONDS)
            self.observe(max(self._monotonic() - asked_at - TICK_SECONDS, 0.0))
            observed()
