from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pronoia.client.errors import ConnectionFailedError, PronoiaError

if TYPE_CHECKING:
    from collections.abc import Callable

RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
_SHORTEST_TIMEOUT = 0.001
"""Seconds. Zero would make a socket non-blocking instead of impatient."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long one call goes on trying. All times are seconds.

    The wait before retry n (from 0) is uniform in [0, min(maximum_delay, base_delay * 2**n)]: "full jitter", from
    M. Brooker, "Exponential Backoff And Jitter", 2015. If the server said Retry-After, the wait is that, at most
    `maximum_retry_after`, plus up to `base_delay` so that waiting clients do not return all at once.
    """

    attempts: int = 4
    """Requests a call sends at most, the first one included; 1 turns retries off."""
    base_delay: float = 0.25
    maximum_delay: float = 8.0
    maximum_retry_after: float = 60.0
    deadline: float = 120.0
    """A call ends after this long, however many attempts are left."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.deadline <= 0:
            raise ValueError("A retry policy needs at least one attempt and a deadline above zero.")
        if min(self.base_delay, self.maximum_delay, self.maximum_retry_after) < 0:
            raise ValueError("The delays of a retry policy cannot be negative.")


class RetryBudget:
    """What is left of one call's attempts and time."""

    def __init__(self, policy: RetryPolicy, random: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._policy = policy
        self._random = random
        self._monotonic = monotonic
        self._ends_at = monotonic() + policy.deadline
        self._retries = 0

    @property
    def remaining(self) -> float:
        """Seconds until the call's deadline; negative after it."""
        return self._ends_at - self._monotonic()

    def timeout(self, wanted: float) -> float:
        """Shorten a timeout so that it does not outlast the call."""
        return max(min(wanted, self.remaining), _SHORTEST_TIMEOUT)

    def delay_after(self, error: PronoiaError) -> float | None:
        """Give the seconds to wait before the next attempt, or None if the call is over."""
        retryable = isinstance(error, ConnectionFailedError) or error.status in RETRYABLE_STATUSES
        if not retryable or self._retries + 1 >= self._policy.attempts:
            return None
        delay = self._delay(error.retry_after)
        self._retries += 1
        return delay if delay < self.remaining else None

    def _delay(self, retry_after: float | None) -> float:
        policy = self._policy
        if retry_after is not None:
            return min(retry_after, policy.maximum_retry_after) + self._random() * policy.base_delay
        return self._random() * min(policy.maximum_delay, policy.base_delay * 2**self._retries)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, 10.2.3): seconds or a date. None if it is missing or neither."""
    if header is None:
        return None
    if re.fullmatch(r"\d+", header, re.ASCII):
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    # A date in "-0000" comes back without a zone, which cannot be subtracted from one that has it.
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((aware - now).total_seconds(), 0.0)
