from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Meter


@contextmanager
def timed(meter: Meter, clock: Clock, family: str, **labels: str) -> Generator[None]:
    """Measure how long this takes, however it ends."""
    started = clock.monotonic()
    try:
        yield
    finally:
        meter.observe(family, clock.monotonic() - started, **labels)
