"""Readable patterns of use. What the user's own habits explain by chance is not a pattern."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from pronoia.prediction.sessions import count_pairs, members, split_sessions
from pronoia.prediction.significance import binomial_tail, poisson_tail, significant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray

FALSE_DISCOVERY_RATE = 0.01
FEWEST_SIGHTINGS = 3
HOUR = 3600
HOURS_OF_A_DAY = 24
DAYS_OF_A_WEEK = 7
SECONDS_OF_A_DAY = 86_400
DAY_OF_THE_EPOCH = 3
"""The first of January 1970 was a Thursday; Monday is 0."""


class PatternKind(StrEnum):
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    SEQUENCE = "sequence"
    CO_ACCESS = "co_access"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Something that happened more often than chance explains.

    `memories` are indices; in a sequence the second follows the first. `slot` is the hour of the day (hourly), the day
    of the week from Monday (daily) or the hour of the week (weekly), else None.
    """

    kind: PatternKind
    memories: tuple[int, ...]
    slot: int | None
    occurrences: int
    confidence: float
    p_value: float


def confidence_of(occurrences: int) -> float:
    """Give the confidence in [0, 1] that so many sightings support: 3 give 0.3, 10 give 0.7, 20 and more 0.9."""
    return round(float(np.interp(occurrences, [0, 3, 10, 20], [0.0, 0.3, 0.7, 0.9])), 3)


def local_seconds(times: NDArray[np.float64], zone: tzinfo) -> NDArray[np.int64]:
    """Shift seconds since the epoch to the clock on the user's wall; int64 (n,)."""
    hours, place = np.unique((times // HOUR).astype(np.int64), return_inverse=True)
    shifts = [datetime.fromtimestamp(hour * HOUR, UTC).astimezone(zone).utcoffset() for hour in hours.tolist()]
    seconds = np.array([0 if shift is None else int(shift.total_seconds()) for shift in shifts], dtype=np.int64)
    return times.astype(np.int64) + seconds[place.reshape(-1)]


def distributions(times: NDArray[np.float64], zone: tzinfo) -> tuple[list[int], list[int]]:
    """Count accesses by hour of the day (24) and day of the week from Monday (7), by the user's clock."""
    local = local_seconds(times, zone)
    hours = np.bincount(local // HOUR % HOURS_OF_A_DAY, minlength=HOURS_OF_A_DAY)
    days = np.bincount(_weekday(local), minlength=DAYS_OF_A_WEEK)
    return [int(count) for count in hours], [int(count) for count in days]


def detect_patterns(memories: NDArray[np.int64], times: NDArray[np.float64], zone: tzinfo) -> list[Pattern]:
    """Find patterns in n accesses: memory indices (n,) and rising seconds since the epoch (n,)."""
    if not len(memories):
        return []
    local = local_seconds(times, zone)
    day, hour = local // SECONDS_OF_A_DAY, local // HOUR % HOURS_OF_A_DAY
    weekday = _weekday(local)
    found: list[Pattern] = []
    for kind, slots, count in (
        (PatternKind.HOURLY, hour, HOURS_OF_A_DAY),
        (PatternKind.DAILY, weekday, DAYS_OF_A_WEEK),
        (PatternKind.WEEKLY, weekday * HOURS_OF_A_DAY + hour, DAYS_OF_A_WEEK * HOURS_OF_A_DAY),
    ):
        found += _recurring(kind, memories, day, slots, count)
    sessions = split_sessions(times)
    return found + _sequences(memories, sessions) + _together(memories, sessions)


def _weekday(local: NDArray[np.int64]) -> NDArray[np.int64]:
    return (local // SECONDS_OF_A_DAY + DAY_OF_THE_EPOCH) % DAYS_OF_A_WEEK


def _recurring(
    kind: PatternKind, memories: NDArray[np.int64], day: NDArray[np.int64], slots: NDArray[np.int64], size: int
) -> list[Pattern]:
    """Compare how often a memory is used at a time with how often anything is; a busy morning counts once."""
    once = np.unique(np.column_stack((memories, day, slots)), axis=0)
    share = np.bincount(once[:, 2], minlength=size) / len(once)
    totals = np.bincount(once[:, 0])
    cells, counts = np.unique(once[:, [0, 2]], axis=0, return_counts=True)
    tests = size * int((totals >= FEWEST_SIGHTINGS).sum())
    keep = counts >= FEWEST_SIGHTINGS
    candidates = [
        (kind, (memory,), slot, count, binomial_tail(count, int(totals[memory]), float(share[slot])))
        for (memory, slot), count in zip(cells[keep].tolist(), counts[keep].tolist(), strict=True)
    ]
    return _surprising(candidates, tests)


def _sequences(memories: NDArray[np.int64], sessions: NDArray[np.int64]) -> list[Pattern]:
    """Compare how often one memory follows another with how often it follows anything."""
    follows = (sessions[1:] == sessions[:-1]) & (memories[1:] != memories[:-1])
    steps = np.column_stack((memories[:-1], memories[1:]))[follows]
    if not len(steps):
        return []
    size = int(memories.max()) + 1
    before, after = np.bincount(steps[:, 0], minlength=size), np.bincount(steps[:, 1], minlength=size)
    pairs, counts = np.unique(steps, axis=0, return_counts=True)
    keep = counts >= FEWEST_SIGHTINGS
    candidates = [
        (PatternKind.SEQUENCE, (first, second), None, count, binomial_tail(count, int(before[first]), float(chance)))
        for (first, second), count in zip(pairs[keep].tolist(), counts[keep].tolist(), strict=True)
        # A memory never follows itself here, so what follows the first is one of the others.
        for chance in [after[second] / (len(steps) - after[first]) if len(steps) > after[first] else 1.0]
    ]
    tests = int((before >= FEWEST_SIGHTINGS).sum()) * int((after >= FEWEST_SIGHTINGS).sum())
    return _surprising(candidates, tests)


def _together(memories: NDArray[np.int64], sessions: NDArray[np.int64]) -> list[Pattern]:
    """Compare the sessions two memories share with those they would if each were used without regard to the other.

    Longer sessions hold more pairs, so the expected number is c1 * c2 * sum(s * (s - 1)) / sum(s)^2 for sizes s.
    """
    held = members(memories, sessions)
    sizes = np.bincount(held[:, 0])
    crowding = float((sizes * (sizes - 1)).sum()) / float(sizes.sum()) ** 2
    totals = np.bincount(held[:, 1])
    pairs, counts = count_pairs(held)
    keep = counts >= FEWEST_SIGHTINGS
    candidates = [
        (
            PatternKind.CO_ACCESS,
            (one, other),
            None,
            count,
            poisson_tail(count, float(totals[one] * totals[other]) * crowding),
        )
        for (one, other), count in zip(pairs[keep].tolist(), counts[keep].tolist(), strict=True)
    ]
    frequent = int((totals >= FEWEST_SIGHTINGS).sum())
    return _surprising(candidates, frequent * (frequent - 1) // 2)


def _surprising(
    candidates: Sequence[tuple[PatternKind, tuple[int, ...], int | None, int, float]], tests: int
) -> list[Pattern]:
    kept = significant([p_value for *_, p_value in candidates], tests, FALSE_DISCOVERY_RATE)
    found = [
        Pattern(kind, memories, slot, count, confidence_of(count), p_value)
        for (kind, memories, slot, count, p_value), keep in zip(candidates, kept, strict=True)
        if keep
    ]
    return sorted(found, key=lambda pattern: (-pattern.occurrences, pattern.p_value, pattern.memories))
