"""What it costs predictions to be made as of a coarser time: one pass over events for each, learning unchanged."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pronoia.benchmark.events import read_events
from pronoia.benchmark.prediction_evaluation import PRONOIA, evaluate
from pronoia.benchmark.prediction_in_memory import InMemoryPrediction
from pronoia.services.answers import MINUTES, predicted_as_of

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY = 4
"""Of this many users one is measured."""
MOMENTS: dict[str, Callable[[float, float], float]] = {
    "exact": lambda now, _: now,
    "as served": predicted_as_of,
    "whole five minutes": lambda now, _: now // MINUTES * MINUTES,
}


class Coarse(InMemoryPrediction):
    """Predicts as of another moment than it is asked at."""

    def __init__(self, moment: Callable[[float, float], float]) -> None:
        super().__init__()
        self._moment = moment
        self._last: dict[str, float] = {}

    async def observe(self, user: str, item: str, at: float) -> None:
        self._last[user] = at
        await super().observe(user, item, at)

    async def predict(self, user: str, at: float, limit: int) -> list[tuple[str, float]]:
        return await super().predict(user, self._moment(at, self._last.get(user, at)), limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=Path, help="a CSV file: user,item,time")
    events = read_events(parser.parse_args().events)
    users = set(sorted({event.user for event in events})[::EVERY])
    chosen = [event for event in events if event.user in users]
    for name, moment in MOMENTS.items():
        evaluation = asyncio.run(evaluate(Coarse(moment), chosen))
        print(json.dumps({"moment": name, **evaluation.means(PRONOIA), "ece": evaluation.ece}))


if __name__ == "__main__":
    main()
