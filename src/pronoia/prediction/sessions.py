"""Sessions of use: accesses that follow one another within minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP_SECONDS = 300.0
LARGEST_SESSION = 30
"""Memories of a session that are paired; the pairs grow with its square."""


def split_sessions(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the session of each access, (n,); times are seconds in rising order."""
    if not len(times):
        return np.zeros(0, dtype=np.int64)
    return np.concatenate(([0], np.cumsum(np.diff(times) > GAP_SECONDS))).astype(np.int64)


def members(memories: NDArray[np.int64], sessions: NDArray[np.int64]) -> NDArray[np.int64]:
    """List each memory once a session, (m, 2) of session and memory, at most LARGEST_SESSION a session."""
    once = np.unique(np.column_stack((sessions, memories)), axis=0)
    first = np.searchsorted(once[:, 0], once[:, 0])
    return once[np.arange(len(once)) - first < LARGEST_SESSION]


def count_pairs(members_of_sessions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the sessions that two memories share: pairs (p, 2) with the lower index first, and counts (p,)."""
    if not len(members_of_sessions):
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.diff(members_of_sessions[:, 0])) + 1
    groups = np.split(members_of_sessions[:, 1], starts)
    found = [np.column_stack((group[low], group[high])) for group in groups for low, high in [_places(len(group))]]
    pairs, counts = np.unique(np.concatenate(found), axis=0, return_counts=True)
    return pairs.astype(np.int64), counts.astype(np.int64)


_PLACES = [np.triu_indices(size, 1) for size in range(LARGEST_SESSION + 1)]


def _places(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return _PLACES[size]
