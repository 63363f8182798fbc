"""Budgets shared by all processes, checked without asking anybody most of the time."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID  # noqa: TC003 - a named tuple resolves its annotations

import structlog

from pronoia.domain.errors import PronoiaError, UnavailableError
from pronoia.ports.limit_store import CellClaim
from pronoia.resilience.burst import BurstDetector
from pronoia.resilience.rate_limit import TOLERANCE, Lease, Rate, Taken, take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pronoia.ports.clock import Clock
    from pronoia.ports.limit_store import CellGrant, LimitStore
    from pronoia.ports.telemetry import Meter

MAXIMUM_SUBJECTS = 20_000
"""Each process knows the latest. One that it forgot is known to the store."""
STORE_SECONDS = 1.0
PAUSE_SECONDS = 1.0
"""A store that failed is not asked again for so long."""
LOAD_SHARE = 0.5
"""What is taken off all budgets at full load."""
PENALTY_SECONDS = 60.0
PENALTY_FACTOR = 2.0
SHORTEST_WAIT_SECONDS = 0.001
ROUNDS = 3
"""How often a request asks the store, whose answer others may have spent before it can."""

log = structlog.get_logger(__name__)


class Subject(NamedTuple):
    """Who has a budget: a user or an organisation by plan, an address, or the instance."""

    limiter: str
    organisation_id: UUID
    plan: str
    name: str

    @property
    def digest(self) -> bytes:
        """Name it in 16 bytes."""
        text = f"{self.limiter}\0{self.plan}\0{self.name}"
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request costs one subject. More than `burst` cells within ten seconds are a burst."""

    subject: Subject
    rate: Rate
    cost: float = 1.0
    burst: float = inf


@dataclass(frozen=True, slots=True)
class Usage:
    """Where a budget stands after a request, in requests of that kind."""

    limiter: str
    limit: int
    remaining: int
    reset_seconds: float
    """Until all of it is there again."""
    retry_after_seconds: float = 0.0
    """Until the request may come again; above 0 it was refused."""
    in_burst: bool = False
    """Each request costs twice, because of a burst."""

    @property
    def is_refused(self) -> bool:
        """Whether the request may not be served."""
        return self.retry_after_seconds > 0


class _Entry:
    __slots__ = ("detector", "lease", "lock", "penalised_until")

    def __init__(self, demand: Demand) -> None:
        self.lease = Lease(demand.rate)
        self.lock = asyncio.Lock()
        self.detector = None if demand.burst == inf else BurstDetector(demand.burst)
        self.penalised_until = 0.0


@dataclass(frozen=True, slots=True)
class _Charge:
    subject: Subject
    entry: _Entry
    cost: float
    price: float
    """Cells: the cost, dearer under load and after a burst, so that every budget shrinks alike."""

    def usage(self, now: float, *, refused: bool = False) -> Usage:
        lease, scale = self.entry.lease, self.cost / self.price
        # What is held beside a budget that is full again is no more than the budget to whoever reads it.
        available = min(lease.available(now), lease.rate.limit)
        return Usage(
            limiter=self.subject.limiter,
            limit=int(lease.rate.limit * scale + TOLERANCE),
            remaining=0 if refused else max(int(available * scale + TOLERANCE), 0),
            reset_seconds=lease.backlog(now),
            retry_after_seconds=max(lease.wait(self.price, now), SHORTEST_WAIT_SECONDS) if refused else 0.0,
            in_burst=self.entry.penalised_until > now,
        )


class RateLimiter:
    """Admits what every budget it touches can pay, and spends nothing of any if one cannot.

    Cells are taken from the store in blocks of a two-hundredth of a limit, so that of large budgets most requests are
    paid from what this process holds. While the store does not answer, each process goes on by the same rule from what
    it knew last: then every process allows as much as all did together.
    """

    def __init__(
        self,
        *,
        store: LimitStore,
        clock: Clock,
        meter: Meter,
        load: Callable[[], float],
        maximum_subjects: int = MAXIMUM_SUBJECTS,
    ) -> None:
        """Take the measured `load` in [0, 1] from a function."""
        self._store = store
        self._clock = clock
        self._meter = meter
        self._load = load
        self._maximum_subjects = maximum_subjects
        self._entries: OrderedDict[Subject, _Entry] = OrderedDict()
        self._paused_until = 0.0

    async def admit(self, demands: Sequence[Demand], *, strict: bool = False) -> list[Usage]:
        """Give where each budget stands; the request is refused if any of them says so.

        The order of the demands is from the widest to the narrowest. A `strict` one raises UnavailableError while the
        store does not answer.
        """
        if not demands:
            return []
        charges = self._charges(demands)
        if not self._spend(charges):
            # One at a time: else each of the requests that wait would take a block.
            async with charges[0].entry.lock:
                charges, refused = await self._renewed(demands, strict=strict)
            if refused:
                return self._refused(refused)
        now = self._clock.monotonic()
        return [charge.usage(now) for charge in charges]

    def refund(self, demands: Sequence[Demand]) -> None:
        """Give back what a request cost."""
        for charge in self._charges(demands):
            charge.entry.lease.refund(charge.price)

    async def look(self, demands: Sequence[Demand]) -> list[Usage]:
        """Tell where budgets stand in the store, and spend nothing."""
        charges = self._charges(demands)
        await self._take(charges, looking=True)
        now = self._clock.monotonic()
        return [charge.usage(now) for charge in charges]

    def glance(self, demand: Demand) -> Usage:
        """Tell where a budget stood last, as far as this process knows."""
        entry = self._entries.get(demand.subject) or _Entry(demand)
        return self._charge(demand, entry, self._clock.monotonic(), self._share()).usage(self._clock.monotonic())

    async def _renewed(self, demands: Sequence[Demand], *, strict: bool) -> tuple[list[_Charge], list[_Charge]]:
        """Take what is short until the request is paid or refused; give the charges, and those that refuse."""
        charges = self._charges(demands)
        for _ in range(ROUNDS):
            charges = self._charges(demands)
            if self._spend(charges):
                return charges, []
            now = self._clock.monotonic()
            short = [charge for charge in charges if not charge.entry.lease.covers(charge.price, now)]
            refusing = [charge for charge in short if charge.entry.lease.wait(charge.price, now) > 0]
            if refusing:
                return charges, refusing
            await self._take(short, strict=strict)
        charges = self._charges(demands)
        if self._spend(charges):
            return charges, []
        return charges, charges[-1:]

    def _refused(self, refusing: Sequence[_Charge]) -> list[Usage]:
        now = self._clock.monotonic()
        for charge in refusing:
            self._meter.count("rate_limit_rejects_total", limiter_type=charge.subject.limiter)
        return [charge.usage(now, refused=True) for charge in refusing]

    def _spend(self, charges: Sequence[_Charge]) -> bool:
        now = self._clock.monotonic()
        for charge in charges:
            if not charge.entry.lease.covers(charge.price, now):
                return False
        for charge in charges:
            charge.entry.lease.spend(charge.price)
        return True

    async def _take(self, charges: Sequence[_Charge], *, strict: bool = False, looking: bool = False) -> None:
        now = self._clock.monotonic()
        claims = [_claim(charge, now, looking=looking) for charge in charges]
        grants = await self._ask(claims)
        if grants is None and strict:
            raise UnavailableError("Attempts cannot be counted now: none is allowed.", retry_after=int(PAUSE_SECONDS))
        now = self._clock.monotonic()
        for charge, claim, grant in zip(charges, claims, grants or [None] * len(claims), strict=True):
            lease = charge.entry.lease
            if grant is None:
                backlog = max(lease.backlog(now) - claim.returned * lease.rate.interval, 0.0)
                lease.renew(take(lease.rate, backlog, claim.wanted, claim.minimum), now)
            else:
                lease.renew(Taken(grant.cells, grant.backlog_seconds), now)
                self._watch(charge.entry, grant, now)

    async def _ask(self, claims: Sequence[CellClaim]) -> list[CellGrant] | None:
        """Ask the store, or give None while it does not answer."""
        if self._clock.monotonic() < self._paused_until:
            return None
        try:
            async with asyncio.timeout(STORE_SECONDS):
                grants = await self._store.take(claims)
        except (PronoiaError, TimeoutError) as error:
            self._paused_until = self._clock.monotonic() + PAUSE_SECONDS
            self._meter.count("rate_limit_store_failures_total")
            log.warning("rate_limit.store_lost", reason=str(error) or type(error).__name__)
            return None
        self._meter.count("rate_limit_leases_total", len(claims))
        return grants

    def _watch(self, entry: _Entry, grant: CellGrant, now: float) -> None:
        """Look for a burst in what all processes took together."""
        if entry.detector is None or now < entry.penalised_until:
            return
        if entry.detector.observe(now, grant.spent - grant.cells, grant.spent):
            entry.penalised_until = now + PENALTY_SECONDS
            self._meter.count("rate_limit_bursts_total")

    def _share(self) -> float:
        return 1 - LOAD_SHARE * min(max(self._load(), 0.0), 1.0)

    def _charges(self, demands: Sequence[Demand]) -> list[_Charge]:
        now, share = self._clock.monotonic(), self._share()
        return [self._charge(demand, self._entry(demand), now, share) for demand in demands]

    def _charge(self, demand: Demand, entry: _Entry, now: float, share: float) -> _Charge:
        factor = PENALTY_FACTOR if now < entry.penalised_until else 1.0
        # A price above the limit could never be paid.
        price = min(demand.cost * factor / share, demand.rate.limit)
        return _Charge(demand.subject, entry, demand.cost, price)

    def _entry(self, demand: Demand) -> _Entry:
        entry = self._entries.get(demand.subject)
        if entry is None:
            if len(self._entries) >= self._maximum_subjects:
                self._entries.popitem(last=False)
            entry = self._entries[demand.subject] = _Entry(demand)
        else:
            self._entries.move_to_end(demand.subject)
        return entry


def _claim(charge: _Charge, now: float, *, looking: bool) -> CellClaim:
    lease, subject = charge.entry.lease, charge.subject
    returned = lease.surrender(now)
    minimum = 0.0 if looking else lease.missing(charge.price, now)
    return CellClaim(
        organisation_id=subject.organisation_id,
        key=subject.digest,
        interval_seconds=lease.rate.interval,
        limit=lease.rate.limit,
        wanted=0.0 if looking else max(minimum, lease.rate.block),
        minimum=minimum,
        returned=returned,
    )
