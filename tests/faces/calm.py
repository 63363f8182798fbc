from __future__ import annotations

from pronoia.resilience.concurrency import LimitPolicy
from pronoia.services.audit.audit import Audit
from pronoia.services.rate_limiter import RateLimiter
from pronoia.services.rate_limits import NO_LIMITS, RateLimits
from pronoia.services.resilience import Resilience
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter

NO_RATE_LIMITS = RateLimits(
    limiter=RateLimiter(store=None, clock=ManualClock(), meter=RecordingMeter(), load=lambda: 0.0), limits=NO_LIMITS
)
UNTOLD = Audit(store=None, clock=ManualClock())
"""Counts refusals, and nobody asks for them."""


def calm_resilience() -> Resilience:
    """Give what protects a server that has nothing to do."""
    return Resilience(
        clock=ManualClock(), meter=RecordingMeter(), high=0.8, critical=0.95, limit=LimitPolicy(), memory=lambda: 0.0
    )
