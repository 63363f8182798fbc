"""When to try again, how long to wait before, and how often in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits of 1, 2 and 4 seconds, each made shorter by chance."""

    retries: int = 3
    first_wait_seconds: float = 1.0
    factor: float = 2.0
    longest_wait_seconds: float = 30.0
    jitter: float = 0.5
    """Share of a wait that is left to chance."""

    def wait(self, retry: int, draw: Callable[[], float]) -> float:
        """Give the seconds before a retry; the first is number 1."""
        wait = min(self.first_wait_seconds * self.factor ** (retry - 1), self.longest_wait_seconds)
        return wait * (1 - self.jitter * draw())


class RetryBudget:
    """Lets retries be a share of the calls, whatever each single call would like.

    Otherwise a dependency that fails is asked several times as often as one that works. A token bucket, as in
    Finagle's RetryBudget: each call puts `share` of a token in, a retry takes one out, and no more than `reserve` are
    saved for calls that come seldom.
    """

    def __init__(self, share: float = 0.1, reserve: float = 10.0) -> None:
        self._share = share
        self._reserve = reserve
        self._tokens = reserve

    def called(self) -> None:
        """Note a call, not its retries."""
        self._tokens = min(self._tokens + self._share, self._reserve)

    def spend(self) -> bool:
        """Take a retry, if there is one."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
