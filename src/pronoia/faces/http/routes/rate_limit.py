from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.rate_limit import reset_time
from pronoia.faces.http.schemas.rate_limit import Budget, RateLimitAnswer
from pronoia.services.rate_limits import NARROWER, WINDOW_SECONDS, tightest

if TYPE_CHECKING:
    from datetime import datetime

    from pronoia.services.rate_limiter import Usage


async def rate_limit(call: Call[Nothing, Nothing]) -> Answer:
    usages = await call.services.limits.of_principal(call.principal, call.scope.user_id)
    now = call.surroundings.now()
    most = tightest([one for one in usages if one.limiter not in NARROWER.values()])
    whole = None if most is None else _budget(most, now)
    answer = RateLimitAnswer(
        plan=call.principal.plan,
        limit=whole and whole.limit,
        remaining=whole and whole.remaining,
        reset=whole and whole.reset,
        percent_used=whole and whole.percent_used,
        window_seconds=WINDOW_SECONDS,
        limits=[_budget(one, now) for one in usages],
    )
    return Answer(answer)


def _budget(usage: Usage, now: datetime) -> Budget:
    used = round(100 * (usage.limit - usage.remaining) / usage.limit) if usage.limit else 0
    return Budget(usage.limiter, usage.limit, usage.remaining, reset_time(usage, now), used)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "GET",
        "/api/v1/rate-limit",
        "Tell what is left of every limit; costs one request.",
        rate_limit,
        RateLimitAnswer,
        Permission.READ,
        Nothing,
        Nothing,
    ),
)
