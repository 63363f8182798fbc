from __future__ import annotations

import random
from itertools import pairwise

import pytest

from pronoia.services.monitoring.histogram import BOUNDS, BUCKETS, bucket_of, quantile, slower_than

pytestmark = pytest.mark.anyio


async def test_without_a_request_there_is_no_data_and_not_a_hundred_percent(start):
    agreement = await start().monitoring.agreement("1h")
    assert (agreement.availability, agreement.error_rate, agreement.average_ms) == (None, None, None)
    assert (agreement.latency_ms(0.95), agreement.cache_hit_rate, agreement.all_met) == (None, None, None)
    assert set(agreement.met.values()) == {None}


async def test_availability_and_errors_are_two_numbers(start):
    one = start()
    one.serve(9_900)
    one.serve(60, status=503)
    one.readings.count("requests_shed_total", 60, importance="sheddable")
    one.serve(40, status=500)
    agreement = await one.monitoring.agreement("1h")
    assert agreement.availability == pytest.approx(0.99)
    assert agreement.error_rate == pytest.approx(40 / 9_940)
    assert agreement.met == {"availability": False, "error_rate": True, "p95": True, "p99": True}
    assert agreement.all_met is False


async def test_what_callers_get_wrong_and_what_a_plan_does_not_hold_is_not_bad(start):
    one = start()
    one.serve(10)
    for status in (400, 401, 404, 429):
        one.serve(1, status=status)
    one.serve(5, status=499)
    agreement = await one.monitoring.agreement("1h")
    assert (agreement.kept.level.requests, agreement.availability, agreement.error_rate) == (14, 1.0, 0.0)


async def test_probes_do_not_dilute_the_figures(start):
    one = start()
    one.serve(1, status=500)
    for route in ("/health", "/health/ready", "/metrics", "/api/v1/monitoring/live", "/sla"):
        one.serve(1_000, route=route)
    assert (await one.monitoring.agreement("1h")).availability == 0.0


async def test_processes_are_added_up_and_a_restart_loses_nothing(start, clock):
    one, two = start(), start()
    one.serve(30)
    two.serve(10, status=500)
    await one.monitoring.levels.flush()
    await two.monitoring.levels.flush()
    two.serve(10)
    await two.monitoring.close()
    clock.advance(120)
    agreement = await start().monitoring.agreement("1h")
    assert (agreement.kept.level.requests, agreement.availability) == (50, 0.8)


async def test_a_period_holds_only_what_happened_in_it(start, clock):
    one = start()
    one.serve(100, status=500)
    await one.monitoring.levels.flush()
    clock.advance(3_700)
    one.serve(10)
    hour, day = [await one.monitoring.agreement(period) for period in ("1h", "24h")]
    assert (hour.kept.level.requests, hour.availability) == (10, 1.0)
    assert (day.kept.level.requests, day.availability) == (110, pytest.approx(10 / 110))


async def test_what_is_counted_while_the_database_is_away_is_kept_later(start, clock):
    one = start()
    one.serve(5)
    one.store.cut = True
    for _ in range(3):
        one.serve(1, status=503)
        await one.look()
        clock.advance(60)
    one.store.cut = False
    agreement = await one.monitoring.agreement("1h")
    assert (agreement.kept.level.requests, agreement.kept.level.failed) == (8, 3)


async def test_downtime_is_when_nothing_ran_or_everything_failed(start, clock):
    one = start()
    one.serve(10)
    await one.monitoring.levels.flush()
    clock.advance(60)
    one.serve(10, status=500)
    await one.monitoring.levels.flush()
    clock.advance(180)  # two minutes of which nobody reports
    one.serve(10)
    agreement = await one.monitoring.agreement("1h")
    assert (agreement.elapsed_minutes, agreement.downtime_minutes, agreement.uptime) == (5, 3, 0.4)


async def test_caches_are_judged_by_what_the_first_tier_was_asked(start):
    one = start()
    one.readings.count("cache_hits_total", 60, tier="1")
    one.readings.count("cache_misses_total", 40, tier="1")
    one.readings.count("cache_hits_total", 10, tier="2")
    one.readings.count("cache_misses_total", 30, tier="2")
    assert (await one.monitoring.agreement("1h")).cache_hit_rate == 0.7


async def test_percentiles_are_right_within_their_bucket(start):
    seed = random.randrange(1 << 30)  # noqa: S311 - durations
    print("seed", seed)  # noqa: T201 - of a run that failed
    draw = random.Random(seed)  # noqa: S311 - durations
    durations = sorted(draw.lognormvariate(-4, 1.2) for _ in range(2_000))
    one = start()
    for seconds in durations:
        one.monitoring.levels.observe("/api/v1/memories", "GET", 200, seconds)
    agreement = await one.monitoring.agreement("1h")
    for share in (0.5, 0.95, 0.99):
        exact = 1_000 * durations[int(share * len(durations)) - 1]
        assert agreement.latency_ms(share) == pytest.approx(exact, rel=0.28)
    assert agreement.average_ms == pytest.approx(1_000 * sum(durations) / len(durations), abs=0.01)


def test_bounds_hold_the_promises_exactly():
    assert {0.5, 1.0} <= set(BOUNDS)
    assert all(1 < high / low < 1.285 for low, high in pairwise(BOUNDS))
    counts = [0] * BUCKETS
    for seconds in (0.0005, 0.5, 0.51, 1.0, 1.01, 500.0):
        counts[bucket_of(seconds)] += 1
    assert (slower_than(counts, 0.5), slower_than(counts, 1.0)) == (4, 2)
    assert quantile(counts, 1.0) == BOUNDS[-1]
    assert quantile([0] * BUCKETS, 0.5) is None
