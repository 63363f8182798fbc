"""Whether answers proved right: what was predicted, found or suggested, and then used."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import StoreUnavailableError
from pronoia.domain.identifiers import with_digest
from pronoia.ports.insight_store import DailyOutcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.ports.clock import Clock
    from pronoia.ports.insight_store import InsightStore
    from pronoia.ports.telemetry import Meter

    Sum = tuple[Scope, date, OutcomeKind, int]

FLUSH_SECONDS = 5.0
USES_TO_COME = 10
"""A prediction is about this many uses."""
MATCH_SECONDS = 1800.0
"""How long a search or suggestion waits to be used."""
OPEN_ANSWERS = 20
"""Answers of a user that wait; the oldest is judged when one more comes."""
OPEN_USERS = 10_000
BINS = 10

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Answer:
    kind: OutcomeKind
    at: datetime
    confidences: dict[UUID, float]
    used: set[UUID] = field(default_factory=set["UUID"])
    uses: int = 0


class Outcomes:
    """Holds recent answers in this process, judges them by the uses that follow, and keeps daily sums.

    Answers that wait when the process ends are lost: the sums lack them, and stay right about the rest. A search or
    suggestion is one trial, right if any of it was used within MATCH_SECONDS. Each predicted memory is a trial, right
    if it was among the next USES_TO_COME uses.
    """

    def __init__(self, *, store: InsightStore, clock: Clock, meter: Meter) -> None:
        self._store = store
        self._clock = clock
        self._meter = meter
        self._open: OrderedDict[Scope, deque[_Answer]] = OrderedDict()
        self._sums: dict[Sum, tuple[int, int, float]] = {}

    def record_search(self, scope: Scope, shown: Sequence[UUID]) -> None:
        """Note what a search showed."""
        self._wait_for(scope, OutcomeKind.SEARCH, dict.fromkeys(shown, 0.0))

    def record_prediction(self, scope: Scope, predicted: Sequence[tuple[UUID, float]]) -> None:
        """Note predicted memories, each with the probability that it is among the next USES_TO_COME uses."""
        self._wait_for(scope, OutcomeKind.PREDICTION, dict(predicted))

    def record_suggestion(self, scope: Scope, suggested: Sequence[UUID], *, withheld: bool, silent: bool) -> None:
        """Note what was suggested, or would have been but was withheld to measure, or that nothing was worth saying."""
        if silent:
            self._add(scope, self._clock.now(), OutcomeKind.SILENT, 0, hit=False)
        else:
            kind = OutcomeKind.WITHHELD if withheld else OutcomeKind.SUGGESTION
            self._wait_for(scope, kind, dict.fromkeys(suggested, 0.0))

    def record_use(self, scope: Scope, memory_id: UUID, at: datetime) -> None:
        """Match a use to the answers before it."""
        waiting = self._open.get(scope)
        if waiting is None:
            return
        self._judge_old(scope, waiting, at)
        for answer in waiting:
            answer.uses += 1
            if memory_id in answer.confidences:
                answer.used.add(memory_id)
        self._judge_old(scope, waiting, at)

    def forget(self, scope: Scope, memory_id: UUID | None = None) -> None:
        """Drop all that waits about a memory that was just deleted, or about all of a user's.

        An answer that named other memories too is judged by those.
        """
        if memory_id is None:
            self._open.pop(scope, None)
            self._sums = {key: sums for key, sums in self._sums.items() if key[0] != scope}
            return
        waiting = self._open.get(scope)
        if waiting is None:
            return
        for answer in waiting:
            answer.confidences.pop(memory_id, None)
            answer.used.discard(memory_id)
        self._open[scope] = deque(answer for answer in waiting if answer.confidences)

    def forgotten(self, digest: bytes) -> None:
        """Drop all of a user whom another process forgot."""
        for scope in with_digest({*self._open, *(key[0] for key in self._sums)}, digest):
            self.forget(scope)

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except StoreUnavailableError as error:
                log.warning("outcomes.waiting", sums=len(self._sums), reason=error.message)

    async def flush(self) -> None:
        """Write the sums in one statement. On failure they stay."""
        now = self._clock.now()
        for scope, waiting in list(self._open.items()):
            self._judge_old(scope, waiting, now)
            if not waiting:
                del self._open[scope]
        sums, self._sums = self._sums, {}
        rows = [
            (scope, DailyOutcome(day, kind, place, trials, hits, confidence))
            for (scope, day, kind, place), (trials, hits, confidence) in sums.items()
        ]
        if not rows:
            return
        try:
            await self._store.add_outcomes(rows)
        except StoreUnavailableError:
            for key, (trials, hits, confidence) in sums.items():
                self._merge(key, trials, hits, confidence)
            raise

    def _wait_for(self, scope: Scope, kind: OutcomeKind, confidences: dict[UUID, float]) -> None:
        if not confidences:
            return
        waiting = self._open.setdefault(scope, deque())
        self._open.move_to_end(scope)
        waiting.append(_Answer(kind, self._clock.now(), confidences))
        if len(waiting) > OPEN_ANSWERS:
            self._judge(scope, waiting.popleft())
        if len(self._open) > OPEN_USERS:
            coldest, answers = self._open.popitem(last=False)
            for answer in answers:
                self._judge(coldest, answer)

    def _judge_old(self, scope: Scope, waiting: deque[_Answer], at: datetime) -> None:
        for answer in [one for one in waiting if _is_over(one, at)]:
            waiting.remove(answer)
            self._judge(scope, answer)

    def _judge(self, scope: Scope, answer: _Answer) -> None:
        if answer.kind is not OutcomeKind.PREDICTION:
            self._add(scope, answer.at, answer.kind, 0, hit=bool(answer.used))
        elif answer.uses:
            for memory_id, confidence in answer.confidences.items():
                place = min(int(confidence * BINS), BINS - 1)
                self._add(scope, answer.at, answer.kind, place, hit=memory_id in answer.used, confidence=confidence)

    def _add(
        self, scope: Scope, at: datetime, kind: OutcomeKind, place: int, *, hit: bool, confidence: float = 0.0
    ) -> None:
        self._meter.count("answers_judged_total", kind=kind.value)
        if hit:
            self._meter.count("answers_used_total", kind=kind.value)
        self._merge((scope, at.date(), kind, place), 1, int(hit), confidence)

    def _merge(self, key: Sum, trials: int, hits: int, confidence: float) -> None:
        before = self._sums.get(key, (0, 0, 0.0))
        self._sums[key] = (before[0] + trials, before[1] + hits, before[2] + confidence)


def _is_over(answer: _Answer, at: datetime) -> bool:
    if answer.kind is OutcomeKind.PREDICTION:
        return answer.uses >= USES_TO_COME
    return (at - answer.at).total_seconds() > MATCH_SECONDS
