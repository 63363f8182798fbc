from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec resolves the annotations when it first encodes

import msgspec


class Budget(msgspec.Struct, rename="camel"):
    """Where one limit stands."""

    limiter: str
    limit: int
    remaining: int
    reset: datetime
    percent_used: int


class RateLimitAnswer(msgspec.Struct, rename="camel"):
    """The tightest of the limits on all requests, and every limit. Without any, `limits` is empty and the rest null."""

    plan: str
    limit: int | None
    remaining: int | None
    reset: datetime | None
    """When all of it is there again."""
    percent_used: int | None
    window_seconds: int
    limits: list[Budget]
