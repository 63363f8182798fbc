from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from pronoia.adapters.alerting.alertmanager import Alertmanager
from pronoia.adapters.alerting.pagerduty import PagerDuty
from pronoia.adapters.alerting.slack import Slack
from pronoia.domain.alerts import Alert, Severity
from pronoia.domain.errors import AlertNotSentError, ConfigurationError
from pronoia.resilience import policies
from pronoia.resilience.breaker import Breaker
from pronoia.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


async def _break(one, rounds=6):
    one.broken["embedding"] = "<gone> & lost"
    await one.look(rounds)


async def _mend(one, rounds=2):
    one.broken.clear()
    await one.look(rounds)


async def test_slack_hears_of_an_alert_once_and_of_its_end_once(start, receiver):
    one = start(Slack(f"{receiver.url}/services/secret"))
    await _break(one, 20)
    await _mend(one)
    assert set(receiver.paths) == {"/services/secret"}
    texts = [body["text"] for body in receiver.bodies]
    assert texts == [
        "*CRITICAL* FailedHealthCheck component=embedding: A component of the server does not work. Now: 0.",
        "*RESOLVED* FailedHealthCheck component=embedding: A component of the server does not work. Now: 0.",
    ]


async def test_pagerduty_opens_and_closes_the_same_incident(start, receiver):
    one = start(PagerDuty(f"{receiver.url}/v2/enqueue", "key", "host-1"))
    await _break(one)
    await _mend(one)
    opened, closed = receiver.bodies
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert opened["routing_key"] == "key"
    assert (opened["payload"]["severity"], opened["payload"]["source"]) == ("critical", "host-1")
    assert opened["payload"]["custom_details"] == {"component": "embedding"}
    assert "payload" not in closed


async def test_alertmanager_is_told_again_so_that_it_does_not_forget(start, receiver, clock):
    one = start(Alertmanager(f"{receiver.url}/", clock))
    await _break(one, 5 + 8)
    assert set(receiver.paths) == {"/api/v2/alerts"}
    assert len(receiver.bodies) == 3  # at once, and after one and two minutes
    (alert,) = receiver.bodies[0]
    assert alert["labels"] == {
        "alertname": "FailedHealthCheck",
        "severity": "critical",
        "service": "pronoia",
        "component": "embedding",
    }
    assert datetime.fromisoformat(alert["endsAt"]) - datetime.fromisoformat(alert["startsAt"]) == timedelta(minutes=5)
    await _mend(one)
    (ended,) = receiver.bodies[-1]
    assert (ended["labels"], ended["startsAt"]) == (alert["labels"], alert["startsAt"])
    assert datetime.fromisoformat(ended["endsAt"]) <= clock.now()
    assert len(receiver.bodies) == 4


async def test_of_many_processes_one_tells_and_another_goes_on_where_it_died(start, receiver, database):
    leader, other = (start(Slack(receiver.url)) for _ in range(2))
    for one in (leader, other):
        one.broken["embedding"] = "gone"
    for _ in range(8):
        await leader.look()
        await other.monitoring.watch.look()
    assert len(receiver.bodies) == 1
    async with database.writing(None) as connection:  # the leader died some time ago
        await connection.execute("update instance_leases set leased_until = now() - interval '1 second'")
        await connection.execute("delete from process_reports")
    await other.look(8)
    assert other.monitoring.watch.leads
    assert len(receiver.bodies) == 1
    await _mend(other)
    assert [body["text"].split()[0] for body in receiver.bodies] == ["*CRITICAL*", "*RESOLVED*"]


async def test_an_outage_of_the_database_is_told_by_the_one_that_led(start, receiver):
    leader, other = (start(Slack(receiver.url)) for _ in range(2))
    await leader.look()
    await other.monitoring.watch.look()
    for one in (leader, other):
        one.store.cut = True
        one.broken["database"] = "It does not answer."
    for _ in range(10):
        await leader.look()
        await other.monitoring.watch.look()
    assert [body["text"].split(":")[0] for body in receiver.bodies] == [
        "*CRITICAL* FailedHealthCheck component=database"
    ]


async def test_what_a_receiver_did_not_take_is_sent_again_and_another_is_not_held_up(start, receiver):
    deaf = Slack("http://127.0.0.1:1/secret")
    one = start(deaf, Slack(receiver.url))
    receiver.answer = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
    await _break(one)
    assert len(receiver.bodies) == 2
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    await one.look(5)
    assert len(receiver.bodies) == 3
    failed = {dict(labels)["outcome"]: count for (name, labels), count in one.meter.counts.items() if "alert" in name}
    assert failed["sent"] == 1
    assert failed["failed"] > 2


async def test_a_receiver_that_fails_five_times_is_left_alone_for_two_minutes_and_then_told(receiver):
    clock = ManualClock()
    alert = Alert(uuid4(), "Broken", Severity.CRITICAL, "It broke.", {}, clock.now())
    slack = Slack(receiver.url, Breaker("slack", policies.EXTERNAL, monotonic=clock.monotonic, draw=lambda: 0.0))
    receiver.answer = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
    for _ in range(6):
        with pytest.raises(AlertNotSentError):
            await slack.send(alert)
    assert len(receiver.bodies) == 5
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    clock.advance(120)
    await slack.send(alert)
    assert len(receiver.bodies) == 6
    await slack.close()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary"])
async def test_no_redirect_is_followed(start, receiver, status):
    receiver.answer = f"HTTP/1.1 {status}\r\nLocation: {receiver.url}/elsewhere\r\nContent-Length: 0\r\n\r\n".encode()
    one = start(Slack(f"{receiver.url}/here"))
    await _break(one)
    assert set(receiver.paths) == {"/here"}
    assert not (await one.alerts())[0].told


async def test_an_endless_answer_is_cut_off(start, receiver):
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 100_000
    one = start(Slack(receiver.url))
    await _break(one)
    assert (await one.alerts())[0].told == {"slack:firing"}


async def test_a_silent_receiver_holds_nobody_up_for_long(start, receiver, monkeypatch):
    monkeypatch.setattr("pronoia.adapters.alerting.webhook.TIMEOUT_SECONDS", 0.05)
    receiver.silent = True
    one = start(Slack(receiver.url))
    await _break(one)
    assert not (await one.alerts())[0].told


async def test_events_are_told_to_nobody(start, receiver):
    one = start(Slack(receiver.url))
    one.readings.count("user_weight_adjustments_total")
    await one.look(3)
    assert len(await one.alerts(Severity.INFO)) == 1
    assert receiver.bodies == []


@pytest.mark.parametrize("url", ["ftp://host/x", "hooks.slack.com/x", "http:///x", "file:///etc/passwd"])
async def test_an_address_that_is_none_is_refused_at_the_start_without_being_repeated(url):
    with pytest.raises(ConfigurationError, match="PRONOIA_SLACK_WEBHOOK_URL") as refused:
        Slack(url)
    assert url not in refused.value.message
