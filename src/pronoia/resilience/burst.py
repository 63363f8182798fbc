"""Bursts: when a running total grows faster than it may."""

from __future__ import annotations

WINDOW_SECONDS = 10.0
SLOTS = 10


class BurstDetector:
    """Tells when a total grows by more than `limit` within WINDOW_SECONDS.

    It keeps one sample a slot, so memory is bounded. What it calls a burst always is one; one that is spread over the
    whole window may go unseen by what its first slot held.
    """

    __slots__ = ("_latest", "_limit", "_samples")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._samples: list[tuple[float, float]] = []
        self._latest = 0.0

    def observe(self, now: float, before: float, after: float) -> bool:
        """Note that the total went from `before` to `after` at a time. A burst is told once, and then forgotten.

        A total that fell begins anew: whoever keeps it has lost it.
        """
        samples = self._samples
        if before < self._latest:
            samples.clear()
        self._latest = after
        while samples and samples[0][0] <= now - WINDOW_SECONDS:
            samples.pop(0)
        if not samples or now - samples[-1][0] >= WINDOW_SECONDS / SLOTS:
            samples.append((now, before))
        if after - samples[0][1] <= self._limit:
            return False
        samples.clear()
        return True
