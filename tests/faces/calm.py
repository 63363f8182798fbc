from __future__ import annotations

from pronoia.resilience.concurrency import LimitPolicy
from pronoia.services.resilience import Resilience
from pronoia.testing.clock import ManualClock
from pronoia.testing.meter import RecordingMeter


def calm_resilience() -> Resilience:
    """Give what protects a server that has nothing to do."""
    return Resilience(
        clock=ManualClock(), meter=RecordingMeter(), high=0.8, critical=0.95, limit=LimitPolicy(), memory=lambda: 0.0
    )
