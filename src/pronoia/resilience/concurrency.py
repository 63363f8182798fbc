"""How many requests to work on side by side, found out from how long they take.

A gradient limit after Netflix's Gradient2, with an additive-increase, multiplicative-decrease fallback (AIMD) where
there is too little to compare. Five of its known troubles are met here:

- A baseline that learns under load drifts up with the load. It learns only while the limit is not in the way; at the
  smallest limit it always learns, because then what is slow is not the queue.
- Room added at every step lets the limit creep up under mild overload. Room is added only while nothing queues.
- Kinds of requests that differ in cost would look like a change of load. Each kind has a baseline of its own.
- A window with few requests says little about latency. It lasts until there are enough, as when each waits for a slow
  database; if there still are not, it is left to AIMD.
- What was shed, refused or exempt says nothing. It is not counted; see `admission`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """Bounds and pace of the limit. Times are seconds."""

    minimum: int = 20
    maximum: int = 1000
    initial: int = 250
    acceptable_seconds: float = 0.1
    """A mean duration that is no sign of a queue, however short the baseline: bursts are absorbed, not shed."""
    tolerance: float = 2.0
    """Times the baseline that a kind of request may take likewise."""
    window_seconds: float = 0.5
    longest_window_seconds: float = 5.0
    enough_samples: int = 10
    smoothing: float = 0.5
    """How much of a change is made at once."""
    learning_rate: float = 0.05
    """How much of a window the baseline takes in."""


@dataclass(slots=True)
class _Kind:
    """What the current window saw of one kind of request."""

    seconds: float = 0.0
    count: int = 0


class AdaptiveLimit:
    """Takes durations in, and moves `limit` once a window."""

    def __init__(self, policy: LimitPolicy | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy or LimitPolicy()
        self._monotonic = monotonic
        self.limit = float(self._policy.initial)
        self._baselines: dict[str, float] = {}
        self._kinds: dict[str, _Kind] = {}
        self._most_in_flight = 0
        self._timed_out = False
        self._began_at = monotonic()

    def sample(self, kind: str, seconds: float, in_flight: int) -> None:
        """Count a request that was answered; `in_flight` includes it."""
        seen = self._kinds.get(kind)
        if seen is None:
            seen = self._kinds[kind] = _Kind()
        seen.seconds += seconds
        seen.count += 1
        self._note(in_flight)

    def timed_out(self, in_flight: int) -> None:
        """Count a request that did not end by its deadline."""
        self._timed_out = True
        self._note(in_flight)

    def _note(self, in_flight: int) -> None:
        self._most_in_flight = max(self._most_in_flight, in_flight)
        now, policy = self._monotonic(), self._policy
        lasts = policy.window_seconds if self._says_enough else policy.longest_window_seconds
        if now >= self._began_at + lasts:
            self._update()
            self._kinds.clear()
            self._most_in_flight = 0
            self._timed_out = False
            self._began_at = now

    @property
    def _count(self) -> int:
        return sum(kind.count for kind in self._kinds.values())

    @property
    def _says_enough(self) -> bool:
        return self._timed_out or self._count >= self._policy.enough_samples

    def _update(self) -> None:
        policy = self._policy
        crowded = self._most_in_flight >= self.limit / 2
        count = self._count
        if self._timed_out:
            wanted = self.limit * 0.9
        elif count < policy.enough_samples:
            wanted = self.limit + (1 if crowded else 0)
        else:
            gradient = self._gradient(count)
            room = math.sqrt(self.limit) if crowded and gradient == 1 else 0.0
            wanted = self.limit + policy.smoothing * (self.limit * (gradient - 1) + room)
        self._learn(may_learn=not crowded or self.limit <= policy.minimum)
        self.limit = min(max(wanted, policy.minimum), policy.maximum)

    def _gradient(self, count: int) -> float:
        """Compare what was acceptable with what it took: 1 if all is well, 1/2 at the least."""
        acceptable = sum(kind.count * self._acceptable(name) for name, kind in self._kinds.items())
        taken = sum(kind.seconds for kind in self._kinds.values())
        return min(max(acceptable / taken, 0.5), 1.0) if taken > 0 and count > 0 else 1.0

    def _acceptable(self, kind: str) -> float:
        policy = self._policy
        return max(policy.tolerance * self._baselines.get(kind, 0.0), policy.acceptable_seconds)

    def _learn(self, *, may_learn: bool) -> None:
        for name, kind in self._kinds.items():
            mean = kind.seconds / kind.count
            known = self._baselines.get(name)
            if known is None:
                self._baselines[name] = mean
            elif may_learn or mean < known:  # shorter is always news: a baseline first met under load comes down
                self._baselines[name] = known + self._policy.learning_rate * (mean - known)
