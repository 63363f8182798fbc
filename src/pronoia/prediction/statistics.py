"""A user's uses, kept so that every signal of every memory can be read off at any moment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pronoia.memory.columns import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

from pronoia.prediction.signals import HALF_LIVES

DAY = 86_400.0
WEEK = 7 * DAY
MONDAY = 3 * DAY
"""The epoch began on a Thursday; added to it, weeks begin on Mondays."""
DECAY = -math.log(2) / np.array(HALF_LIVES)
"""What a second takes from the logarithm of a decayed use. NumPy is several times quicker at exp than at exp2."""
SLOWEST_RHYTHM = 0.15
"""Least share of a new interval in a memory's running rhythm."""


class UseStatistics:
    """Uses by position, and sums by memory. Memories are numbered 0 to n - 1, a new one by the next number.

    `utc_offset_seconds` moves the clock to the user's day and week.
    """

    def __init__(self, utc_offset_seconds: float = 0.0) -> None:
        self._offset = utc_offset_seconds
        self._items: Column[np.int32] = Column(np.int32)
        self._times: Column[np.float64] = Column(np.float64)
        self._times_of_day: Column[np.float32] = Column(np.float32)
        self._times_of_week: Column[np.float32] = Column(np.float32)
        self._log_gaps: Column[np.float32] = Column(np.float32)
        self._counts: Column[np.float32] = Column(np.float32)
        self._last_times: Column[np.float64] = Column(np.float64)
        self._ranks: Column[np.float32] = Column(np.float32)
        self._decayed: Column[np.float32] = Column(np.float32, len(HALF_LIVES))
        self._decayed_totals = np.zeros(len(HALF_LIVES))
        self._rhythms: Column[np.float32] = Column(np.float32)
        self._rhythm_variances: Column[np.float32] = Column(np.float32)

    @property
    def uses(self) -> int:
        return len(self.items)

    @property
    def memories(self) -> int:
        return len(self.counts)

    @property
    def items(self) -> NDArray[np.int32]:
        """The memory of each use, oldest first."""
        return self._items.values

    @property
    def times(self) -> NDArray[np.float64]:
        """When each use was, in seconds since the epoch."""
        return self._times.values

    @property
    def times_of_day(self) -> NDArray[np.float32]:
        """When each use was on the user's clock, in seconds since midnight."""
        return self._times_of_day.values

    @property
    def times_of_week(self) -> NDArray[np.float32]:
        """When each use was on the user's clock, in seconds since Monday began."""
        return self._times_of_week.values

    @property
    def log_gaps(self) -> NDArray[np.float32]:
        """ln(1 + seconds since the use before)."""
        return self._log_gaps.values

    @property
    def counts(self) -> NDArray[np.float32]:
        """Uses of each memory."""
        return self._counts.values

    @property
    def last_times(self) -> NDArray[np.float64]:
        return self._last_times.values

    @property
    def ranks(self) -> NDArray[np.float32]:
        """How many memories were used after each one's last use."""
        return self._ranks.values

    @property
    def rhythms(self) -> NDArray[np.float32]:
        """Running mean of ln(1 + seconds between two uses) of each memory; 0 until it was used twice."""
        return self._rhythms.values

    @property
    def rhythm_variances(self) -> NDArray[np.float32]:
        return self._rhythm_variances.values

    def local(self, time: float) -> float:
        """Give a time on the user's clock, counted from a Monday."""
        return time + self._offset + MONDAY

    def decayed(self, at: float, rows: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give the uses of some memories, halved at each of HALF_LIVES, and those of all.

        Their shapes are (len(rows), len(HALF_LIVES)) and (len(HALF_LIVES),).
        """
        ages = np.maximum(at - self.last_times[rows], 0)
        decays = (ages[:, None] * DECAY).astype(np.float32)
        age = max(0.0, at - float(self.times[-1]))
        totals = self._decayed_totals * np.exp(age * DECAY)
        return self._decayed.values[rows] * np.exp(decays, out=decays), totals.astype(np.float32)

    def record(self, item: int, at: float) -> None:
        """Append a use. One that comes late counts as if it came with the latest."""
        gap = 0.0
        if self.uses:
            latest = float(self.times[-1])
            at = max(at, latest)
            gap = at - latest
        if item == self.memories:
            self._begin(at)
        seconds = at - float(self.last_times[item])
        if self.counts[item]:
            self._learn_rhythm(item, math.log1p(seconds))
        decays = np.exp(np.array(((seconds,), (gap,))) * DECAY)
        self._decayed.values[item] = self._decayed.values[item] * decays[0] + 1
        self._decayed_totals = self._decayed_totals * decays[1] + 1
        local = self.local(at)
        self._items.append(item)
        self._times.append(at)
        self._times_of_day.append(local % DAY)
        self._times_of_week.append(local % WEEK)
        self._log_gaps.append(math.log1p(gap))
        self.counts[item] += 1
        self.last_times[item] = at
        ranks = self.ranks
        ranks += ranks < ranks[item]
        ranks[item] = 0

    def replay(self, items: NDArray[np.int32], times: NDArray[np.float64]) -> None:
        """Take over a whole history at once; the same as recording each use on new statistics."""
        if not len(items):
            return
        times = np.maximum.accumulate(times)
        count = int(items.max()) + 1
        gaps = np.diff(times, prepend=times[0])
        last = np.zeros(count, dtype=np.int64)
        last[items] = np.arange(len(items))
        ages = times[last][items] - times
        self._items.extend(items)
        self._times.extend(times)
        local = times + self.local(0.0)
        self._times_of_day.extend(local % DAY)
        self._times_of_week.extend(local % WEEK)
        self._log_gaps.extend(np.log1p(gaps))
        self._counts.extend(np.bincount(items, minlength=count))
        self._last_times.extend(times[last])
        ranks = np.empty(count)
        ranks[np.argsort(-last)] = np.arange(count)
        self._ranks.extend(ranks)
        self._decayed.extend(
            np.stack([np.bincount(items, np.exp2(-ages / half_life), count) for half_life in HALF_LIVES], axis=1)
        )
        self._decayed_totals = np.exp((times[-1] - times)[:, None] * DECAY).sum(axis=0)
        self._rhythms.extend(np.zeros(count))
        self._rhythm_variances.extend(np.zeros(count))
        self._replay_rhythms(items, times)

    def _replay_rhythms(self, items: NDArray[np.int32], times: NDArray[np.float64]) -> None:
        order = np.argsort(items, kind="stable")
        again = items[order][1:] == items[order][:-1]
        intervals: list[float] = np.log1p(np.diff(times[order])[again]).tolist()
        owners: list[int] = items[order][1:][again].tolist()
        seen = [0] * self.memories
        means, variances = [0.0] * self.memories, [0.0] * self.memories
        for item, interval in zip(owners, intervals, strict=True):
            seen[item] += 1
            means[item], variances[item] = _moved(means[item], variances[item], interval, seen[item])
        self.rhythms[:] = means
        self.rhythm_variances[:] = variances

    def _begin(self, at: float) -> None:
        self._last_times.append(at)
        self._ranks.append(self.memories)
        self._counts.append(0)
        self._decayed.append(0)
        self._rhythms.append(0)
        self._rhythm_variances.append(0)

    def _learn_rhythm(self, item: int, interval: float) -> None:
        self.rhythms[item], self.rhythm_variances[item] = _moved(
            float(self.rhythms[item]), float(self.rhythm_variances[item]), interval, int(self.counts[item])
        )


def _moved(mean: float, variance: float, value: float, seen: int) -> tuple[float, float]:
    """Move a running mean and variance to their `seen`-th value: an average at first, then exponentially weighted."""
    share = max(SLOWEST_RHYTHM, 1 / seen)
    away = value - mean
    return mean + share * away, (1 - share) * (variance + share * away * away)
