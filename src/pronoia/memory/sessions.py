from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def neighbours(
    sessions: NDArray[np.int32], occurred_at: NDArray[np.float64], alive: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give the row before and the row after each row in its session, by time then row; -1 for none. Both int32 (n,)."""
    previous = np.full(len(sessions), -1, dtype=np.int32)
    following = np.full(len(sessions), -1, dtype=np.int32)
    rows = np.flatnonzero(alive & (sessions >= 0))
    rows = rows[np.lexsort((rows, occurred_at[rows], sessions[rows]))]
    together = sessions[rows[1:]] == sessions[rows[:-1]]
    previous[rows[1:][together]] = rows[:-1][together]
    following[rows[:-1][together]] = rows[1:][together]
    return previous, following
