"""Signals of use: how often, how recently and how gladly a memory was used, and what it is related to.

They are not standardised. Among a thousand untouched memories a single use would lie thirty deviations off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pronoia.memory.columns import split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pronoia.memory.working_set import WorkingSet

USE_SIGNALS = ("usage", "helpfulness", "relationship", "recency")
USES_THAT_SATURATE = 100
RECENT_DAYS = 7.0
OLD_DAYS = 90.0
RECENT = 0.5
OLD = -1.0
SECONDS_OF_A_DAY = 86_400.0
RELATED_TO = 5
"""The best candidates by content whose relationships count."""


class UseWeights(msgspec.Struct, frozen=True, kw_only=True):
    """What the signals of use weigh, in units of the ranking score."""

    usage: float
    helpfulness: float
    relationship: float
    recency: float


def measure_use(
    working_set: WorkingSet, rows: NDArray[np.intp], best: NDArray[np.intp], now: float
) -> NDArray[np.float32]:
    """Measure candidates in the order of USE_SIGNALS; float32 (4, m). A memory never used nor judged has zeros.

    usage: ln(1 + uses) / ln 100, at most 1. helpfulness: -1 for never to 1 for always. relationship: strength of the
    strongest with one of the best candidates, in [0, 1]. recency: 0.5 up to 7 days after the last use, or after it
    happened if that is later; -1 from 90 days on; 0 between. `best` are the places in `rows` of the best by content,
    `now` is in seconds since the epoch.
    """
    used = np.minimum(np.log1p(working_set.usage_count[rows]) / np.log(USES_THAT_SATURATE), 1)
    last = np.fmax(working_set.last_accessed[rows], working_set.occurred_at[rows])
    days = (now - last) / SECONDS_OF_A_DAY
    return np.stack(
        (
            used,
            2 * working_set.helpfulness[rows] - 1,
            _relationship(working_set, rows, rows[best[:RELATED_TO]]),
            np.where(days <= RECENT_DAYS, RECENT, np.where(days >= OLD_DAYS, OLD, 0)),
        )
    ).astype(np.float32)


def _relationship(working_set: WorkingSet, rows: NDArray[np.intp], best: NDArray[np.intp]) -> NDArray[np.float32]:
    strengths = np.zeros(len(rows), dtype=np.float32)
    if not len(best) or not len(working_set.links):
        return strengths
    around = [working_set.links.around(memory_id) for memory_id in working_set.ids(best.tolist())]
    related = working_set.rows_of(split(b"".join(one.others.tobytes() for one in around)))
    places = np.minimum(rows.searchsorted(related), len(rows) - 1)
    found = rows[places] == related
    np.maximum.at(strengths, places[found], np.concatenate([one.strengths for one in around])[found])
    return strengths
