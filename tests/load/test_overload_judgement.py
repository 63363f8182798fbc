from __future__ import annotations

from pronoia.benchmark.load.overload import judge, phases_of
from pronoia.benchmark.load.recorder import Second

PHASES = phases_of(100, 4)


def seconds(*, overloaded: int, bad_afterwards: int, resident: int = 100) -> list[Second]:
    """Caches and connections fill in an overload before the one that counts."""
    filling = [Second(due=500, answered=10, failed=490, resident_bytes=size) for size in (50, 60, 80, 100)]
    calm = Second(due=50, answered=50, latencies=[5.0, 5.0], resident_bytes=100)
    busy = Second(due=500, answered=overloaded, failed=500 - overloaded, resident_bytes=resident)
    slow = Second(due=50, answered=50, latencies=[900.0, 900.0])
    after = [slow] * bad_afterwards + [calm] * (15 - bad_afterwards)
    return filling + [calm] * PHASES.calm_seconds + [busy] * PHASES.overload_seconds + after


def test_a_server_that_serves_its_peak_and_recovers_holds() -> None:
    found = judge(PHASES, seconds(overloaded=90, bad_afterwards=2))
    assert (found.goodput_share, found.recovery_seconds, found.growth, found.held) == (0.9, 2.0, 1.0, True)
    assert (found.cold_bytes, found.calm_bytes, found.overloaded_bytes) == (50, 100, 100)


def test_collapse_growth_and_a_state_that_stays_bad_do_not() -> None:
    assert not judge(PHASES, seconds(overloaded=70, bad_afterwards=0)).held
    assert not judge(PHASES, seconds(overloaded=90, bad_afterwards=0, resident=120)).held
    forever = judge(PHASES, seconds(overloaded=90, bad_afterwards=15))
    assert forever.recovery_seconds == float("inf")
    assert not forever.held
