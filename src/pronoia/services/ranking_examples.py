"""From judged memories to what the learner takes in: the signals of that query, measured again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pronoia.learning.ranking_learner import Outcome
from pronoia.recall.query import Query
from pronoia.recall.signals import measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from pronoia.domain.records import Vector
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.learning_stores import RankingExample

SHOWN_BY_PRIOR = 10
"""Taken as shown where a judgement names a query that was not searched for lately."""


def by_query(examples: Iterable[RankingExample]) -> dict[str, list[RankingExample]]:
    """Group examples; queries in the order in which each was first judged."""
    grouped: dict[str, list[RankingExample]] = {}
    for example in examples:
        grouped.setdefault(example.query, []).append(example)
    return grouped


def to_outcome(
    held: WorkingSet, vector: Vector, examples: Sequence[RankingExample], prior: NDArray[np.float32]
) -> Outcome | None:
    """Measure one query, as long as ranking takes. None if none of the judged memories is there any more.

    `examples` are all of the query, oldest first: of two judgements on one memory the later stands.
    """
    signals = measure(held, Query.of(examples[0].query, vector), held.alive[: held.size])
    candidates = np.ascontiguousarray(signals.standardised())
    judged = {example.memory_id: example for example in examples}
    helpful = [one for one in judged.values() if one.helpful]
    unhelpful = [one for one in judged.values() if not one.helpful]
    rows = signals.rows
    helpful_rows = {one.memory_id: row for one in helpful if (row := _place(held, rows, one.memory_id)) is not None}
    unhelpful_rows = _places(held, rows, [one.memory_id for one in unhelpful])
    if not helpful_rows and not len(unhelpful_rows):
        return None
    shown = _places(held, rows, dict.fromkeys(one for example in examples for one in example.shown))
    if not len(shown):
        shown = np.argsort(-(candidates @ prior), kind="stable")[:SHOWN_BY_PRIOR]
    return Outcome(
        candidates=candidates,
        helpful=np.array(list(helpful_rows.values()), dtype=np.intp),
        strengths=np.array([judged[memory_id].strength for memory_id in helpful_rows]),
        unhelpful=unhelpful_rows,
        shown=shown,
    )


def _places(held: WorkingSet, rows: NDArray[np.intp], memory_ids: Iterable[UUID]) -> NDArray[np.intp]:
    places = [place for memory_id in memory_ids if (place := _place(held, rows, memory_id)) is not None]
    return np.array(places, dtype=np.intp)


def _place(held: WorkingSet, rows: NDArray[np.intp], memory_id: UUID) -> int | None:
    row = held.row_of(memory_id)
    if row is None:
        return None
    place = int(np.searchsorted(rows, row))
    return place if place < len(rows) and rows[place] == row else None
