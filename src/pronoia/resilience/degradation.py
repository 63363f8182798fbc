"""Levels of degradation: up at once, down only after a while of calm, so that nothing flickers."""

from __future__ import annotations

import time
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Level(IntEnum):
    """How far the server does without what it can do without."""

    NORMAL = 0
    HIGH = 1
    CRITICAL = 2


class Degradation:
    """Follows the saturation, a number that is 1 where the server can take no more."""

    def __init__(
        self,
        *,
        high: float = 0.80,
        critical: float = 0.95,
        margin: float = 0.10,
        calm_seconds: float = 3.0,
        monotonic: Callable[[], float] = time.monotonic,
        changed: Callable[[Level, Level], None] | None = None,
    ) -> None:
        """`margin` is how far the saturation must fall below a threshold, and stay there for `calm_seconds`."""
        self._thresholds = {Level.HIGH: high, Level.CRITICAL: critical}
        self._margin = margin
        self._calm_seconds = calm_seconds
        self._monotonic = monotonic
        self._changed = changed
        self.level = Level.NORMAL
        self._calm_since: float | None = None

    def observe(self, saturation: float) -> None:
        """Take the saturation of this moment into account."""
        reached = self._level_at(saturation)
        if reached > self.level:
            self._become(reached)
            return
        if self._level_at(saturation + self._margin) >= self.level:
            self._calm_since = None
            return
        now = self._monotonic()
        if self._calm_since is None:
            self._calm_since = now
        elif now - self._calm_since >= self._calm_seconds:
            self._become(self._level_at(saturation + self._margin))

    def _level_at(self, saturation: float) -> Level:
        return max((level for level, least in self._thresholds.items() if saturation >= least), default=Level.NORMAL)

    def _become(self, level: Level) -> None:
        before, self.level, self._calm_since = self.level, level, None
        if self._changed is not None:
            self._changed(before, level)
