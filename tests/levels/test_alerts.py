from __future__ import annotations

import pytest

from pronoia.domain.alerts import Severity
from pronoia.services.monitoring.indicators import INDICATORS
from pronoia.services.monitoring.objectives import read_objectives

pytestmark = pytest.mark.anyio


def test_every_rule_but_those_for_outsiders_is_watched_by_the_server_itself():
    rules = read_objectives().rules
    assert {rule.indicator for rule in rules if rule.indicator} == set(INDICATORS)
    assert [rule.name for rule in rules if rule.indicator is None] == ["LowAvailability", "Watchdog"]


async def test_an_alert_fires_once_and_ends_once(start):
    one = start()
    one.serve(1_000)
    await one.look(20)
    assert await one.firing() == set()
    one.serve(100, status=500)
    await one.look(12)
    assert {"HighErrorRate", "AvailabilityBudgetBurn"} <= await one.firing()
    (alert,) = [alert for alert in await one.alerts() if alert.name == "HighErrorRate"]
    assert (alert.severity, alert.state) == (Severity.CRITICAL, "firing")
    assert "More than 1 %" in alert.message
    one.serve(30_000)
    await one.look(24)
    (alert,) = [alert for alert in await one.alerts() if alert.name == "HighErrorRate"]
    assert (alert.state, alert.resolved_at > alert.started_at) == ("resolved", True)


async def test_a_burn_is_told_by_its_windows(start):
    one = start()
    one.serve(90)
    one.serve(10, status=500)
    await one.look()
    burns = [alert for alert in await one.alerts() if alert.name == "AvailabilityBudgetBurn"]
    assert {alert.labels["window"]: alert.severity.value for alert in burns} == {
        "1h": "critical",
        "6h": "critical",
        "3d": "warning",
    }
    one.clock.advance(1_860)  # half an hour without failures: the short windows of pages are clean, the budget is not
    one.serve(10)
    await one.look()
    now = {alert.labels["window"]: alert.state for alert in await one.alerts() if alert.name == burns[0].name}
    assert now == {"1h": "resolved", "6h": "resolved", "3d": "firing"}


async def test_a_handful_of_failures_is_no_evidence(start):
    one = start()
    one.serve(4, status=500)
    await one.look(30)
    assert await one.firing() == set()
    one.serve(5, status=500)
    await one.look()
    assert "AvailabilityBudgetBurn" in await one.firing()


async def test_a_rule_must_be_broken_for_as_long_as_it_says(start):
    one = start()
    one.readings.set("circuit_breaker_state", 2, breaker_name="database")
    await one.look(4)
    assert await one.firing() == set()
    one.readings.set("circuit_breaker_state", 0, breaker_name="database")
    await one.look()
    one.readings.set("circuit_breaker_state", 2, breaker_name="database")
    await one.look(4)
    assert await one.firing() == set()
    await one.look()
    assert await one.firing() == {"CircuitBreakerOpen"}
    (alert,) = await one.alerts()
    assert alert.labels == {"breaker_name": "database"}


@pytest.mark.parametrize(
    ("rule", "measure"),
    [
        ("CacheTooLarge", lambda one: one.readings.set("cache_bytes", 2 << 30, tier="1")),
        ("OrphanedRelationships", lambda one: one.readings.set("orphaned_relationships", 11)),
        ("DatabaseConnectionPoolHigh", lambda one: _pool(one, 9)),
        ("LowCacheHitRate", lambda one: one.readings.count("cache_misses_total", 500, tier="1")),
        ("HighLatencyP95", lambda one: one.serve(100, seconds=0.7)),
        ("HighLatencyP99", lambda one: one.serve(100, seconds=1.7)),
        ("ForesightLatencyP95", lambda one: one.serve(10, seconds=1.7, route="/api/v1/memories/predict")),
        ("FailedHealthCheck", lambda one: one.broken.update(embedding="It is gone.")),
    ],
)
async def test_each_rule_on_a_number_fires_when_it_is_broken(start, rule, measure):
    one = start()
    await one.look()
    assert await one.firing() == set()
    for _ in range(50):
        measure(one)
        await one.look()
    assert rule in await one.firing()


def _pool(one, used):
    one.readings.set("db_connections_active", used)
    one.readings.set("db_connections_limit", 10)


async def test_missing_patterns_are_noticed_only_where_memory_was_used(start):
    one = start()
    for _ in range(26):
        one.serve(50)
        await one.look()
        one.clock.advance(900)
    await one.look(45)
    assert "NoPatternsDetected" in await one.firing()
    one.readings.count("temporal_patterns_detected_total", 3, pattern_type="daily")
    await one.look(2)
    assert "NoPatternsDetected" not in await one.firing()


async def test_a_quiet_server_raises_no_alarm(start):
    one = start()
    for _ in range(26):
        await one.look()
        one.clock.advance(900)
    assert await one.alerts() == []


async def test_what_was_learned_is_an_event_a_round_however_often_it_happened(start):
    one = start()
    one.readings.count("temporal_patterns_detected_total", 40, pattern_type="daily")
    one.readings.count("user_weight_adjustments_total")
    await one.look(3)
    events = await one.alerts(Severity.INFO)
    assert {event.name: event.message for event in events} == {
        "PatternDetected": "Patterns of use were detected: 40.",
        "WeightAdjusted": "Ranking weights were adjusted: 1 times.",
    }
    assert {event.state for event in events} == {"event"}


async def test_a_breaker_that_is_open_in_any_process_is_told(start):
    leader, other = start(), start()
    await leader.look()
    other.readings.set("circuit_breaker_state", 2, breaker_name="embedding")
    for _ in range(6):
        await other.monitoring.watch.look()
        await leader.look()
    assert (leader.monitoring.watch.leads, other.monitoring.watch.leads) == (True, False)
    assert await leader.firing() == await other.firing() == {"CircuitBreakerOpen"}


async def test_alerts_are_kept_a_day_and_a_thousand_at_most(start):
    one = start()
    for number in range(1_100):
        one.readings.count("user_weight_adjustments_total", number + 1)
        one.monitoring.watch._note_events()
    await one.look()
    assert len(await one.alerts()) == 1_000
    one.clock.advance(86_400 + 600)
    await one.look()
    assert await one.alerts() == []


async def test_while_the_database_is_away_the_newest_alerts_are_still_told_from_memory(start):
    one = start()
    await one.look()
    one.store.cut = True
    one.broken["database"] = "It does not answer."
    await one.look(6)
    assert await one.firing() == {"FailedHealthCheck"}
    one.store.cut = False
    one.broken.clear()
    await one.look(2)
    assert await one.firing() == set()
    assert [alert.name for alert in await one.alerts()] == ["FailedHealthCheck"]
