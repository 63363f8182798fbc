from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


Neighbours = tuple["NDArray[np.int32]", "NDArray[np.int32]"]


class SessionOrder:
    """Neighbours, computed by whoever asks first after a change. Threads may share it."""

    def __init__(self) -> None:
        self._known: tuple[object, Neighbours] | None = None

    def of(
        self,
        state: object,
        sessions: NDArray[np.int32],
        occurred_at: NDArray[np.float64],
        alive: NDArray[np.bool_],
    ) -> Neighbours:
        """Give the neighbours of rows that are in a state, which is compared with the one known last."""
        known = self._known
        if known is None or known[0] != state:
            known = self._known = (state, neighbours(sessions, occurred_at, alive))
        return known[1]


def neighbours(sessions: NDArray[np.int32], occurred_at: NDArray[np.float64], alive: NDArray[np.bool_]) -> Neighbours:
    """Give the row before and the row after each row in its session, by time then row; -1 for none. Both int32 (n,)."""
    previous = np.full(len(sessions), -1, dtype=np.int32)
    following = np.full(len(sessions), -1, dtype=np.int32)
    rows = np.flatnonzero(alive & (sessions >= 0))
    rows = rows[np.lexsort((rows, occurred_at[rows], sessions[rows]))]
    together = sessions[rows[1:]] == sessions[rows[:-1]]
    previous[rows[1:][together]] = rows[:-1][together]
    following[rows[:-1][together]] = rows[1:][together]
    return previous, following
