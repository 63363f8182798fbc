"""The breakers' policies: one for each kind of dependency."""

from __future__ import annotations

from pronoia.resilience.breaker import BreakerPolicy

DATABASE = BreakerPolicy(first_open_seconds=0.5, open_seconds=30, window_seconds=60)
EMBEDDING = BreakerPolicy(first_open_seconds=1, open_seconds=60, window_seconds=120)
EXTERNAL = BreakerPolicy(open_seconds=120, window_seconds=300)
"""For every other service."""
