"""How well requests are served: counted by the minute in each process, and kept for all of them together."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from pronoia.ports.monitoring import Level
from pronoia.services.monitoring.histogram import BUCKETS, bucket_of
from pronoia.services.monitoring.readings import CACHE_HITS, CACHE_MISSES, PATTERNS, SHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.ports.clock import Clock
    from pronoia.ports.monitoring import KeptLevel, MonitoringStore
    from pronoia.services.monitoring.readings import Readings

MINUTES_HELD = 1_440
"""Minutes held while the database cannot be reached; of more, the oldest are lost."""
CLIENT_GONE = 499
FORESIGHT = frozenset({"/api/v1/memories/predict", "/api/v1/memories/suggest"})
FIRST_TIER = "1"


class ServiceLevels:
    """Hears of every request. A minute in which a process ran is kept, also if nobody asked anything.

    A request is bad if it was answered with 5xx: it failed, or was turned away under load. What the caller got wrong
    (4xx) and what is beyond a plan (429) is not; requests that their callers gave up are not counted.
    """

    def __init__(self, *, store: MonitoringStore, readings: Readings, clock: Clock, unwatched_routes: str) -> None:
        self._store = store
        self._readings = readings
        self._clock = clock
        self._unwatched = re.compile(unwatched_routes)
        self._watched: dict[str, bool] = {}
        self._pending: dict[datetime, Level] = {}
        self._taken: dict[str, int] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Hear of a request: the template of its route, and how it ended."""
        del method  # of no interest here
        watched = self._watched.get(route)
        if watched is None:  # routes are templates: there are only so many
            watched = self._watched[route] = self._unwatched.fullmatch(route) is None
        if not watched or status == CLIENT_GONE:
            return
        level = self._current()
        level.requests += 1
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            level.failed += 1
        elif HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            level.seconds += seconds
            level.latencies[bucket_of(seconds)] += 1
            if route in FORESIGHT:
                level.foresight[bucket_of(seconds)] += 1

    async def flush(self) -> None:
        """Keep what was counted. Raises StoreUnavailableError, and then keeps it the next time."""
        self._take()
        pending, self._pending = self._pending, {}
        try:
            await self._store.add_levels(pending)
        except BaseException:
            for minute, level in self._pending.items():
                pending[minute] = _sum(pending[minute], level) if minute in pending else level
            self._pending = dict(sorted(pending.items())[-MINUTES_HELD:])
            raise

    async def since(self, ages: Sequence[float]) -> list[KeptLevel]:
        """Give what all processes kept of the last so many seconds, in the order asked for, this minute included."""
        now = self._clock.now()
        return await self._store.levels([now - timedelta(seconds=age) for age in ages])

    def _take(self) -> None:
        """Put what the meter counted into the current minute."""
        level = self._current()
        level.shed += self._newly(SHED)
        level.patterns += self._newly(PATTERNS)
        hits, first_hits = self._newly(CACHE_HITS), self._newly(CACHE_HITS, tier=FIRST_TIER)
        level.cache_found += hits
        level.cache_asked += first_hits + self._newly(CACHE_MISSES, tier=FIRST_TIER)

    def _newly(self, family: str, **labels: str) -> int:
        key = family + repr(labels)
        total = self._readings.total(family, **labels)
        new = total - self._taken.get(key, 0)
        self._taken[key] = total
        return new

    def _current(self) -> Level:
        minute = minute_of(self._clock.now())
        level = self._pending.get(minute)
        if level is None:
            level = self._pending[minute] = Level(latencies=[0] * BUCKETS, foresight=[0] * BUCKETS)
        return level


def minute_of(moment: datetime) -> datetime:
    """Give the beginning of a moment's minute."""
    return datetime.fromtimestamp(moment.timestamp() // 60 * 60, UTC)


def _sum(one: Level, other: Level) -> Level:
    return Level(
        requests=one.requests + other.requests,
        failed=one.failed + other.failed,
        shed=one.shed + other.shed,
        seconds=one.seconds + other.seconds,
        cache_asked=one.cache_asked + other.cache_asked,
        cache_found=one.cache_found + other.cache_found,
        patterns=one.patterns + other.patterns,
        latencies=[a + b for a, b in zip(one.latencies, other.latencies, strict=True)],
        foresight=[a + b for a, b in zip(one.foresight, other.foresight, strict=True)],
    )
