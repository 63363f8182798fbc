"""Keeps each user's model current, learns from each use once, and saves what was learned."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import structlog

from pronoia.domain.errors import StoreUnavailableError
from pronoia.prediction.blend import LAYOUT, Blend, SharedBlend
from pronoia.prediction.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo
    from uuid import UUID

    from pronoia.domain.identifiers import Scope
    from pronoia.memory.history import History
    from pronoia.memory.residents import Residents
    from pronoia.memory.working_set import WorkingSet
    from pronoia.ports.clock import Clock
    from pronoia.ports.learning_stores import ContributionStore

LEARN_SECONDS = 0.1
SAVE_SECONDS = 5.0
REFRESH_SECONDS = 600.0
"""How often what other processes learned is taken over."""
BLEND_SECONDS = 60.0
"""How late a user's predictions take over what others taught; what they did themselves counts at once."""
LEARNED_AT_ONCE = 20
"""Uses of one user between which others get the event loop."""
MOST_WAITING = 100_000
"""Uses that wait to be learned from; of more, a user's are learned from at their next use or prediction."""
LONGEST_LAG = 500
"""Uses that are learned from late; of more, the oldest are only remembered."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """What a user is predicted by now."""

    model: Model
    blend: Blend
    mark: bytes
    """Names all that was seen and learned; it changes when that does."""
    uses: int
    taken_at: float
    """Monotonic seconds."""


class _Known:
    """A model, and the history that it follows."""

    def __init__(self, model: Model, history: History) -> None:
        self.model = model
        self.history = history
        self.generation = history.generation
        self.serving: Serving | None = None

    def serve(self, shared: SharedBlend, now: float) -> Serving:
        """Give what to predict by. It stays the same while the user does nothing, for BLEND_SECONDS at least."""
        serving = self.serving
        if serving is None or serving.uses != self.model.uses or now - serving.taken_at >= BLEND_SECONDS:
            blend, history = shared.current, self.history
            seen = hashlib.blake2b(blend.parameters.tobytes(), digest_size=16)
            seen.update(history.items.tobytes() + history.times.tobytes())
            seen.update(b"".join(history.keys))
            serving = self.serving = Serving(self.model, blend, seen.digest(), self.model.uses, now)
        return serving


class PredictionLearning:
    """Models live as long as their working sets, blends as long as a model of their organisation."""

    def __init__(
        self,
        *,
        store: ContributionStore,
        residents: Residents,
        clock: Clock,
        utc_offset: Callable[[datetime], float],
    ) -> None:
        """`utc_offset` gives the seconds that the users' clocks are ahead of UTC at a moment."""
        self._store = store
        self._residents = residents
        self._clock = clock
        self._utc_offset = utc_offset
        self._models: WeakKeyDictionary[WorkingSet, _Known] = WeakKeyDictionary()
        self._blends: WeakValueDictionary[UUID, SharedBlend] = WeakValueDictionary()
        self._unsaved: dict[UUID, SharedBlend] = {}
        self._waiting: deque[Scope] = deque()
        """Whose uses are to be learned from, in the order in which they came."""
        self._later: Counter[Scope] = Counter()
        """How often each user is in `_waiting`."""
        self._arrived = asyncio.Event()
        self._learning = asyncio.Lock()

    def record_use(self, scope: Scope, memory_id: UUID, at: datetime) -> None:  # noqa: ARG002 - who listens to uses
        """Remember to learn from a use, soon and off the request's way."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(scope)
            self._later[scope] += 1
        self._arrived.set()

    async def serving(self, held: WorkingSet) -> Serving:
        """Give what to predict by for a working set: a model that has seen every use in its history."""
        shared = await self._blend(held.scope.organisation_id)
        known = self._known(held) or self._begin(held, shared, len(held.history))
        self._catch_up(known, held, shared, len(held.history))
        return known.serve(shared, self._clock.monotonic())

    async def learn(self) -> None:
        """Learn from all uses until now, of all users in the order in which they came."""
        # Two at once would take each other's uses, and the order would be lost.
        async with self._learning:
            for _ in range(len(self._waiting)):
                scope = self._waiting.popleft()
                self._later[scope] -= 1
                await self._learn_from(scope)
                if not self._later[scope]:
                    del self._later[scope]

    async def run(self) -> None:
        """Learn and save until cancelled."""
        saved = refreshed = self._clock.monotonic()
        while True:
            await self._arrived.wait()
            await asyncio.sleep(LEARN_SECONDS)
            self._arrived.clear()
            try:
                await self.learn()
                now = self._clock.monotonic()
                if now - saved >= SAVE_SECONDS:
                    await self.save()
                    saved = now
                if now - refreshed >= REFRESH_SECONDS:
                    await self._refresh()
                    refreshed = now
            except StoreUnavailableError as error:
                log.warning("prediction.waiting", reason=error.message)

    async def save(self) -> None:
        """Write what was learned since the last time, in one statement. On failure it is kept for the next."""
        blends, self._unsaved = self._unsaved, {}
        parts = {user: (blend, part) for blend in blends.values() for user, part in blend.take_unsaved().items()}
        try:
            await self._store.add(LAYOUT, {user: part.tolist() for user, (_, part) in parts.items()})
        except StoreUnavailableError:
            for user, (blend, part) in parts.items():
                blend.put_back(user, part)
                self._unsaved[user.organisation_id] = blend
            raise

    async def forget(self, scope: Scope) -> None:
        """Unlearn what a user taught the organisation. Call it when the store has forgotten the user."""
        shared = self._blends.get(scope.organisation_id)
        if shared is not None:
            shared.forget(scope)
            shared.refresh(np.array(await self._store.total(scope.organisation_id, LAYOUT)))

    async def _learn_from(self, scope: Scope) -> None:
        """Learn from a user's oldest use that waits, and from what came before it and does not wait, as recalls."""
        held = self._residents.peek(scope)
        if held is None:
            return
        shared = await self._blend(scope.organisation_id)
        known = self._known(held) or self._begin(held, shared, _first_own(held.history))
        while known.generation == known.history.generation:
            until = len(known.history) - self._later[scope]
            if known.model.uses >= until:
                return
            self._catch_up(known, held, shared, min(until, known.model.uses + LEARNED_AT_ONCE))
            await asyncio.sleep(0)

    def _known(self, held: WorkingSet) -> _Known | None:
        known = self._models.get(held)
        if known is None or known.history is not held.history or known.generation != held.history.generation:
            return None
        return known

    def _begin(self, held: WorkingSet, shared: SharedBlend, uses: int) -> _Known:
        """Make the model of a working set, which has seen the first uses and learned nothing from them."""
        model = Model(shared, held.scope, self._utc_offset(self._clock.now()))
        model.replay(held.history.items[:uses], held.history.times[:uses])
        self._models[held] = _Known(model, held.history)
        return self._models[held]

    def _catch_up(self, known: _Known, held: WorkingSet, shared: SharedBlend, until: int) -> None:
        """Show the model its newest uses, up to so many in all; it learns from this process's own."""
        history, model = known.history, known.model
        lag = len(history) - model.uses
        for place in range(model.uses, min(until, len(history))):
            item, at = int(history.items[place]), float(history.times[place])
            if history.own[place] and lag <= LONGEST_LAG:
                model.observe(item, at)
                self._unsaved[held.scope.organisation_id] = shared
            else:
                model.follow(item, at)

    async def _blend(self, organisation_id: UUID) -> SharedBlend:
        shared = self._blends.get(organisation_id)
        if shared is None:
            total = np.array(await self._store.total(organisation_id, LAYOUT))
            # Another request may have come first while this one waited.
            shared = self._blends.setdefault(organisation_id, SharedBlend(total))
        return shared

    async def _refresh(self) -> None:
        for organisation_id, shared in list(self._blends.items()):
            shared.refresh(np.array(await self._store.total(organisation_id, LAYOUT)))


def _first_own(history: History) -> int:
    """Find the first use that this process is to learn from; the length if there is none."""
    return int(history.own.argmax()) if history.own.any() else len(history)


def utc_offset(zone: tzinfo, at: datetime) -> float:
    """Give the seconds that a zone's clocks are ahead of UTC at a moment."""
    offset = at.astimezone(zone).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()
