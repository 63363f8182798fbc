"""Who may do how much: the layers of limits, and what each plan allows."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING
from uuid import UUID

from pronoia.domain.errors import InvalidCredentialError, MissingCredentialError
from pronoia.domain.records import Plan
from pronoia.resilience.rate_limit import Rate
from pronoia.services.rate_limiter import Demand, Subject

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from pronoia.domain.principals import Principal
    from pronoia.services.rate_limiter import RateLimiter, Usage

WINDOW_SECONDS = 60
PLAN_FACTORS: Mapping[Plan, int] = {Plan.FREE: 1, Plan.PRO: 10, Plan.TEAM: 50, Plan.ENTERPRISE: 600}
NO_ORGANISATION = UUID(int=0)


class Layer(StrEnum):
    """From the widest to the narrowest. The names are those of the documented metrics."""

    GLOBAL = "global"
    ORGANISATION = "organisation"
    USER = "user"
    EXPENSIVE = "expensive"
    LEARNING = "learning"
    ADDRESS = "ip"


class Budget(StrEnum):
    """What an operation is paid from: nothing, the budgets of all requests, or a narrower one besides."""

    FREE = "free"
    ORDINARY = "ordinary"
    EXPENSIVE = "expensive"
    LEARNING = "learning"


NARROWER: Mapping[Budget, Layer] = {Budget.EXPENSIVE: Layer.EXPENSIVE, Budget.LEARNING: Layer.LEARNING}


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests a minute on the free plan, and in ten seconds for a burst. 0 turns a limit off."""

    instance: int = 0
    organisation: int = 1_000
    user: int = 100
    expensive: int = 20
    learning: int = 10
    address: int = 20
    burst: int = 50


NO_LIMITS = Limits(organisation=0, user=0, expensive=0, learning=0, address=0)


@dataclass(frozen=True, slots=True)
class _Allowance:
    rate: Rate
    burst: float


class RateLimits:
    """Charges requests to the budgets that they touch, and attempts to authenticate to their address."""

    def __init__(self, *, limiter: RateLimiter, limits: Limits) -> None:
        self._limiter = limiter
        self._allowances = dict(_allowances(limits))

    async def charge(self, principal: Principal, user_id: str | None, budget: Budget) -> Usage | None:
        """Charge a request, and give its tightest budget; None if it touches none.

        A request that names no user who can be served is charged to the credential's own, or else to the credential.
        """
        if budget is Budget.FREE:
            return None
        return tightest(await self._limiter.admit(self._demands(principal, user_id, _layers(budget))))

    @asynccontextmanager
    async def attempt(self, address: str) -> AsyncGenerator[Usage | None]:
        """Charge an attempt to authenticate to its address, unless it succeeds.

        Gives the address's budget. While attempts cannot be counted none is made: raises UnavailableError.
        """
        demands = self._address(address)
        usage = tightest(await self._limiter.admit(demands, strict=True))
        try:
            yield usage
        except (MissingCredentialError, InvalidCredentialError):
            raise
        except BaseException:
            self._give_back(demands, usage)
            raise
        else:
            self._give_back(demands, usage)

    def of_address(self, address: str) -> Usage | None:
        """Tell where the budget of an address stood last, and spend nothing."""
        return tightest([self._limiter.glance(demand) for demand in self._address(address)])

    async def of_principal(self, principal: Principal, user_id: str) -> list[Usage]:
        """Tell where every budget stands that requests of this user by this credential can touch, and spend nothing."""
        layers = (Layer.GLOBAL, Layer.ORGANISATION, Layer.USER, Layer.EXPENSIVE, Layer.LEARNING)
        return await self._limiter.look(self._demands(principal, user_id, layers))

    def _give_back(self, demands: Sequence[Demand], usage: Usage | None) -> None:
        if usage is not None and not usage.is_refused:
            self._limiter.refund(demands)

    def _demands(self, principal: Principal, user_id: str | None, layers: Sequence[Layer]) -> list[Demand]:
        user = principal.user_id if user_id is None else user_id
        name = f"key:{principal.id}" if user is None else f"user:{user}"
        demands: list[Demand] = []
        for layer in layers:
            allowance = self._allowances.get((layer, principal.plan))
            if allowance is not None:
                subject = _subject(layer, principal, name)
                demands.append(Demand(subject, allowance.rate, burst=allowance.burst))
        return demands

    def _address(self, address: str) -> list[Demand]:
        allowance = self._allowances.get((Layer.ADDRESS, Plan.FREE))
        if allowance is None:
            return []
        return [Demand(Subject(Layer.ADDRESS, NO_ORGANISATION, "", address), allowance.rate)]


def tightest(usages: Sequence[Usage]) -> Usage | None:
    """Give the budget that refuses longest, or else that which is spent first."""
    return min(usages, key=lambda one: (-one.retry_after_seconds, one.remaining, -one.reset_seconds), default=None)


def _layers(budget: Budget) -> tuple[Layer, ...]:
    wide = (Layer.GLOBAL, Layer.ORGANISATION, Layer.USER)
    narrower = NARROWER.get(budget)
    return wide if narrower is None else (*wide, narrower)


def _subject(layer: Layer, principal: Principal, name: str) -> Subject:
    match layer:
        case Layer.GLOBAL:
            return Subject(layer, NO_ORGANISATION, "", "")
        case Layer.ORGANISATION:
            return Subject(layer, principal.organisation_id, principal.plan, "")
        case _:
            return Subject(layer, principal.organisation_id, principal.plan, name)


def _allowances(limits: Limits) -> list[tuple[tuple[Layer, Plan], _Allowance]]:
    """Multiply what plans multiply, and leave out what is turned off."""
    scaled = {
        Layer.ORGANISATION: limits.organisation,
        Layer.USER: limits.user,
        Layer.EXPENSIVE: limits.expensive,
        Layer.LEARNING: limits.learning,
    }
    fixed = {Layer.GLOBAL: limits.instance, Layer.ADDRESS: limits.address}
    rates = [
        (layer, plan, limit * factor, factor)
        for layer, limit in scaled.items()
        for plan, factor in PLAN_FACTORS.items()
    ]
    rates += [(layer, plan, limit, 1) for layer, limit in fixed.items() for plan in Plan]
    return [
        ((layer, plan), _Allowance(Rate(limit, WINDOW_SECONDS), _burst(limits.burst * factor, layer)))
        for layer, plan, limit, factor in rates
        if limit
    ]


def _burst(limit: int, layer: Layer) -> float:
    return limit if layer is Layer.USER and limit else inf
