"""Answers that were given before, as long as nothing they depend on has changed.

The key of an answer names all that it depends on: organisation, user, version of the memory, uses, what was learned,
the question, and the moment as of which it is computed. A write or a use makes the old answers unreachable, so none is
ever invalidated. What giving an answer does beside (noting what was shown) is done by whoever gives it, each time.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - answers are decoded by their annotations

import msgspec

from pronoia.services.caches import Kind, Made
from pronoia.services.query_vectors import everyone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pronoia.domain.identifiers import Scope
    from pronoia.memory.residents import Residents
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.services.caches import Caches
    from pronoia.services.prediction_learning import PredictionLearning
    from pronoia.services.ranking_weights import RankingWeights
    from pronoia.services.uses import Uses

SEARCH = Kind("search", tiers=1)
SUGGEST = Kind("suggest", tiers=1)
PREDICT = Kind("predict", tiers=1)
METRICS = Kind("metrics", tiers=2)
PATTERNS = Kind("patterns", tiers=2)
MAINTENANCE = Kind("maintenance", tiers=3)
"""How many tiers each is worth, measured: docs/adr/0009-caches.md."""
MINUTES = 300
HOUR = 3_600
"""Seconds between the moments as of which answers are computed; maintenance counts in days, and waits for the hour.

The moments of each user are their own: at common ones the answers of all users would be computed at once.
"""
SHARE_OF_GAP = 1 / 16
LONGEST_STEP = 512.0
SHORTEST_STEP = 1 / 64
"""Of the moments of predictions, in seconds; see predicted_as_of."""


class Given(msgspec.Struct, array_like=True, frozen=True):
    """An answer as it was encoded for the caller."""

    body: bytes
    version: int
    """Of the user's memory, that it reflects."""
    shown: list[tuple[UUID, float]] = []
    """The memories in it, best first, each with its confidence if it is a prediction."""
    whole: bool = True
    """False if a part was away, such as the embedder: it is right for now and kept nowhere."""


@dataclass(frozen=True, slots=True)
class _State:
    """All that answers to any question depend on, beside the question."""

    parts: tuple[object, ...]
    at: datetime
    version: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Given).decode


class Answers:
    """Gives answers of users with a working set; all others are computed each time."""

    def __init__(
        self,
        *,
        caches: Caches,
        residents: Residents,
        uses: Uses,
        ranking_weights: RankingWeights,
        learning: PredictionLearning,
        clock: Clock,
        edition: str,
    ) -> None:
        """`edition` names what else decides how answers look: this version of Pronoia and its settings."""
        self._caches = caches
        self._residents = residents
        self._uses = uses
        self._ranking_weights = ranking_weights
        self._learning = learning
        self._clock = clock
        self._edition = edition

    async def give(
        self,
        kind: Kind,
        scope: Scope,
        question: object,
        compute: Callable[[datetime], Awaitable[Given]],
        *,
        minimum_version: int | None = None,
        timeless: bool = False,
    ) -> Given:
        """Give the answer to a question, computed now or before; equal in every byte.

        `compute` is given the moment to compute it as of. The answer to a `timeless` question is the same at any.
        Raises what `compute` raises, and InvalidInputError for a version that is not reached.
        """
        state = await self._state(kind, scope, minimum_version)
        if state is None:
            return await compute(self._clock.now())
        encoded_question = _encoded(question)
        if encoded_question is None or not self._uses.are_written(scope):
            # What only this process knows yet has no number that others would understand.
            return await compute(state.at)
        moment = None if timeless else state.at
        key = hashlib.blake2b(
            _encode((self._edition, state.parts, moment)) + encoded_question,
            digest_size=20,
            person=kind.name.encode(),
        ).digest()

        async def make() -> Made:
            given = await compute(state.at)
            after = await self._state(kind, scope, None)
            same = after is not None and after.parts == state.parts and self._uses.are_written(scope)
            return Made(_encode(given), state.version, keep=same and given.whole)

        return _decode(await self._caches.fetch(kind, scope, key, make))

    async def forget(self, scope: Scope, *, shared: bool = False) -> None:
        """Drop what is kept of a user, and if `shared`, of what all users of the organisation share: their queries."""
        await self._caches.forget(scope)
        if shared:
            await self._caches.forget(everyone(scope))

    async def _state(self, kind: Kind, scope: Scope, minimum_version: int | None) -> _State | None:
        held = await self._residents.get(scope, minimum_version)
        if held is None:
            return None
        if kind is PREDICT:
            learned = (await self._learning.serving(held)).mark
            at = _moment_of_prediction(self._clock.now(), held)
        elif kind is MAINTENANCE:
            learned = None
            at = own_moment(self._clock.now(), HOUR, scope)
        else:
            learned = await self._ranking_weights.mark(scope)
            at = own_moment(self._clock.now(), MINUTES, scope)
        return _State((held.version, held.activity, learned), at, held.version)


def predicted_as_of(now: float, last_use: float) -> float:
    """Give the time to predict as of: at most SHARE_OF_GAP of the time since the last use ago, and LONGEST_STEP.

    The experts see the time since the last use by its logarithm, and the time of day by half hours. All in seconds.
    """
    gap = now - last_use
    if gap * SHARE_OF_GAP < SHORTEST_STEP:
        return now
    step = min(LONGEST_STEP, 2.0 ** math.floor(math.log2(gap * SHARE_OF_GAP)))
    return last_use + math.floor(gap / step) * step


def own_moment(now: datetime, seconds: int, scope: Scope) -> datetime:
    """Give the last of a user's moments, which are that many seconds apart."""
    own = int.from_bytes(scope.digest[:8]) % seconds
    return datetime.fromtimestamp((now.timestamp() - own) // seconds * seconds + own, UTC)


def _moment_of_prediction(now: datetime, held: WorkingSet) -> datetime:
    times = held.history.times
    if not len(times):
        return own_moment(now, MINUTES, held.scope)
    return datetime.fromtimestamp(predicted_as_of(now.timestamp(), float(times[-1])), UTC)


def _encoded(question: object) -> bytes | None:
    """Encode a question; None for what no text can hold, which computing refuses with a reason."""
    try:
        return _encode(question)
    except UnicodeEncodeError:
        return None
