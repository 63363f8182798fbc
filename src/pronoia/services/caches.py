"""Cache tiers behind one another, the nearest first. They may only ever save time: each can be lost at any moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from pronoia.domain.errors import PronoiaError
from pronoia.ports.cache_tier import CacheEntry
from pronoia.resilience.cache import Rest, SingleFlight, is_due
from pronoia.resilience.deadline import without_deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pronoia.domain.identifiers import Scope
    from pronoia.ports.cache_tier import CacheTier
    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter

TIER_SECONDS = 0.25
"""Longest wait for a tier; one that is slower is no use."""
CLEANING_SECONDS = 10.0
REST_SECONDS = 5.0
"""How long a tier that failed is left alone."""
MAKING_SECONDS = 60.0
"""Longest time that making a value may take; whoever asked has given up long before."""
MAXIMUM_WRITES = 64
"""Values on their way to the farther tiers; of more, the newest are not kept there."""
LOOK_SECONDS = 30.0

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value, and how many tiers are worth asking for it, from the nearest."""

    name: str
    tiers: int


@dataclass(frozen=True, slots=True)
class Made:
    """A value that was not found, and the version of its owner's memory that it reflects."""

    value: bytes
    version: int | None = None
    keep: bool = True
    """False for what is right for this caller only, such as what was made while a part was away."""


class _Tier:
    """A tier that is passed over for a while when it fails."""

    def __init__(self, tier: CacheTier, clock: Clock, meter: Meter) -> None:
        self.name = tier.name
        self.lifetime_seconds = tier.lifetime_seconds
        self.cleaned_at = clock.monotonic()
        self._tier = tier
        self._clock = clock
        self._meter = meter
        self._rest = Rest(seconds=REST_SECONDS, now=clock.monotonic)

    async def get(self, owner: Scope, key: bytes) -> CacheEntry | None:
        return await self._guarded(partial(self._tier.get, owner, key))

    async def put(self, owner: Scope, key: bytes, made: Made, cost_seconds: float) -> None:
        expires_at = self._clock.now().timestamp() + self.lifetime_seconds
        entry = CacheEntry(made.value, expires_at, cost_seconds, made.version)
        await self._guarded(partial(self._tier.put, owner, key, entry))

    async def forget(self, owner: Scope) -> None:
        await self._guarded(partial(self._tier.forget, owner), CLEANING_SECONDS)

    async def clean_if_due(self) -> None:
        """Clean, and count what is left."""
        if self._clock.monotonic() - self.cleaned_at < self._tier.clean_seconds:
            return
        self.cleaned_at = self._clock.monotonic()
        size = await self._guarded(self._tier.clean, CLEANING_SECONDS)
        if size is not None:
            self._meter.set("cache_size", size.entries, tier=self.name)
            self._meter.set("cache_bytes", size.nbytes, tier=self.name)

    async def close(self) -> None:
        await self._tier.close()

    @property
    def is_resting(self) -> bool:
        return not self._rest.is_over

    async def _guarded(
        self, call: Callable[[], Awaitable[Result]], limit_seconds: float = TIER_SECONDS
    ) -> Result | None:
        if self.is_resting:
            return None
        try:
            async with asyncio.timeout(limit_seconds):
                return await call()
        except (PronoiaError, TimeoutError) as error:
            self._rest.begin()
            self._meter.count("cache_failures_total", tier=self.name)
            log.warning(
                "cache.skipped", tier=self.name, reason=str(error) or type(error).__name__, seconds=REST_SECONDS
            )
            return None


class Caches:
    """Finds a value in the nearest tier that has it, or has it made once for all who ask meanwhile.

    What is found is kept in the tiers before; what is made, in all of its kind. What fails to be made is kept nowhere.
    """

    def __init__(self, *, tiers: Sequence[CacheTier], clock: Clock, meter: Meter, draw: Callable[[], float]) -> None:
        """`draw` gives a random number in [0, 1)."""
        self._tiers = [_Tier(tier, clock, meter) for tier in tiers]
        self._clock = clock
        self._meter = meter
        self._draw = draw
        self._flights: SingleFlight[tuple[Scope, bytes], bytes] = SingleFlight(timeout_seconds=MAKING_SECONDS)
        self._writes: set[asyncio.Task[None]] = set()
        self._found: Counter[tuple[str, str]] = Counter()
        self._missed: Counter[tuple[str, str]] = Counter()

    async def fetch(self, kind: Kind, owner: Scope, key: bytes, make: Callable[[], Awaitable[Made]]) -> bytes:
        """Give the value of a key, whose maker may raise. The key says all that the value depends on but the owner."""
        tiers = self._tiers[: kind.tiers]
        if not tiers:
            return (await make()).value
        entry = await self._look(kind, tiers[0], owner, key)
        fill = partial(self._fill, kind, owner, key, make)
        if entry is None:
            return await self._flights.run((owner, key), fill)
        now = self._clock.now().timestamp()
        if is_due(now, entry.expires_at, entry.cost_seconds, 1 - self._draw()):
            self._meter.count("cache_refreshes_total", tier=tiers[0].name)
            self._flights.start((owner, key), fill)
        return entry.value

    async def forget(self, owner: Scope) -> None:
        """Drop all that is kept of an owner, also what is on its way there."""
        await asyncio.gather(*self._writes)
        for tier in self._tiers:
            await tier.forget(owner)

    async def settled(self) -> None:
        """Wait until what was begun before is made and kept."""
        await self._flights.settled()
        await asyncio.gather(*self._writes)

    def hit_rates(self, *kinds: Kind) -> dict[str, float | None]:
        """Give the share found of what each tier was asked for, by its name, and of all under `combined`.

        Only of some kinds, if they are named. None where nothing was asked.
        """
        names = {kind.name for kind in kinds}
        rates: dict[str, float | None] = {}
        asked = computed = 0
        for place, tier in enumerate(self._tiers):
            found, missed = (
                sum(count for (name, at), count in counts.items() if at == tier.name and (not names or name in names))
                for counts in (self._found, self._missed)
            )
            rates[tier.name] = found / (found + missed) if found + missed else None
            asked += found + missed if place == 0 else 0
            computed += found
        rates["combined"] = computed / asked if asked else None
        return rates

    async def run(self) -> None:
        """Clean the tiers until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.clean()

    async def clean(self) -> None:
        """Clean the tiers whose turn it is."""
        for tier in self._tiers:
            await tier.clean_if_due()

    async def close(self) -> None:
        """Wait for what is on its way, and close the tiers."""
        await self.settled()
        for tier in self._tiers:
            await tier.close()

    async def _fill(self, kind: Kind, owner: Scope, key: bytes, make: Callable[[], Awaitable[Made]]) -> bytes:
        nearest, *farther = self._tiers[: kind.tiers]
        passed: list[_Tier] = []
        for tier in farther:
            entry = await self._look(kind, tier, owner, key)
            if entry is not None:
                found = Made(entry.value, entry.version)
                await nearest.put(owner, key, found, entry.cost_seconds)
                self._keep(passed, owner, key, found, entry.cost_seconds)
                return entry.value
            passed.append(tier)
        started = self._clock.monotonic()
        made = await make()
        if made.keep:
            cost_seconds = self._clock.monotonic() - started
            await nearest.put(owner, key, made, cost_seconds)
            self._keep(farther, owner, key, made, cost_seconds)
        return made.value

    def _keep(self, tiers: Sequence[_Tier], owner: Scope, key: bytes, made: Made, cost_seconds: float) -> None:
        """Keep in the farther tiers behind the caller's back."""
        for tier in tiers:
            if len(self._writes) < MAXIMUM_WRITES:
                task = asyncio.create_task(tier.put(owner, key, made, cost_seconds), context=without_deadline())
                self._writes.add(task)
                task.add_done_callback(self._writes.discard)

    async def _look(self, kind: Kind, tier: _Tier, owner: Scope, key: bytes) -> CacheEntry | None:
        if tier.is_resting:
            return None
        entry = await tier.get(owner, key)
        counts, family = (self._missed, "cache_misses_total") if entry is None else (self._found, "cache_hits_total")
        counts[kind.name, tier.name] += 1
        self._meter.count(family, tier=tier.name)
        return entry
