"""How budgets look on the wire."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from pronoia.domain.errors import RateLimitedError

if TYPE_CHECKING:
    from datetime import datetime

    from litestar.types import HTTPScope

    from pronoia.faces.http.operation import Surroundings
    from pronoia.faces.http.watch import Exchange
    from pronoia.services.rate_limiter import Usage


def note_usage(exchange: Exchange, usage: Usage | None) -> None:
    """Keep the budget for the answer's headers. Raises RateLimitedError if it refuses the request."""
    if usage is None:
        return
    exchange.usage = usage
    if usage.is_refused:
        seconds = ceil(usage.retry_after_seconds)
        because = " Requests cost twice after a burst." if usage.in_burst else ""
        raise RateLimitedError(
            f"{usage.limiter.capitalize()} rate limit exceeded. Try again in {seconds} s.{because}",
            limiter=usage.limiter,
            limit=usage.limit,
            remaining=usage.remaining,
            retryAfter=seconds,
        )


def usage_headers(exchange: Exchange, scope: HTTPScope, surroundings: Surroundings) -> list[tuple[bytes, bytes]]:
    """Describe the request's tightest budget; for a request that touched none, that of its address."""
    usage = exchange.usage
    if usage is None:
        usage = surroundings.services.limits.of_address(surroundings.address(scope))
    if usage is None:
        return []
    return [
        (b"x-ratelimit-limit", b"%d" % usage.limit),
        (b"x-ratelimit-remaining", b"%d" % usage.remaining),
        (b"x-ratelimit-reset", f"{reset_time(usage, surroundings.now()):%Y-%m-%dT%H:%M:%SZ}".encode()),
    ]


def reset_time(usage: Usage, now: datetime) -> datetime:
    """Give when all of a budget is there again, in whole seconds rounded up."""
    at = now + timedelta(seconds=usage.reset_seconds)
    return at.replace(microsecond=0) + timedelta(seconds=1 if at.microsecond else 0)
