from __future__ import annotations

import uuid

import answers
import pytest
from scripted_server import Reply

from pronoia.client import (
    ConnectionFailedError,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    UnexpectedAnswerError,
)

STORED = Reply(201, answers.memory())


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_passing_failures_are_tried_again(connect, scripted, status):
    scripted.will(Reply(status), STORED)
    assert connect().remember("text").id == "m1"
    assert len(scripted.received) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500, 501])
def test_other_failures_are_not_tried_again(connect, scripted, fake_time, status):
    scripted.will(Reply(status))
    with pytest.raises(Exception, match=str(status)) as caught:
        connect().remember("text")
    assert caught.value.status == status
    assert len(scripted.received) == 1
    assert fake_time.sleeps == []


def test_a_write_keeps_its_idempotency_key_over_all_attempts(connect, scripted):
    scripted.will(Reply(503), Reply(behaviour="drop"), Reply(502), STORED)
    connect().remember("text")
    keys = {received.headers["Idempotency-Key"] for received in scripted.received}
    assert len(scripted.received) == 4
    assert len(keys) == 1
    assert uuid.UUID(keys.pop()).version == 4


def test_two_writes_have_different_idempotency_keys(connect, scripted):
    scripted.will(STORED, STORED)
    client = connect()
    client.remember("text")
    client.remember("text")
    first, second = (received.headers["Idempotency-Key"] for received in scripted.received)
    assert first != second


def test_every_attempt_sends_the_same_body(connect, scripted):
    scripted.will(Reply(503), STORED)
    connect().remember("text", tags=["a"])
    assert scripted.received[0].body == scripted.received[1].body
    assert scripted.received[1].json == {"text": "text", "tags": ["a"]}


def test_a_dropped_connection_is_tried_again(connect, scripted):
    scripted.will(Reply(behaviour="drop"), Reply(200, answers.page()))
    assert connect().get_all() == []


def test_a_connection_that_is_dropped_each_time_is_a_connection_failed_error(connect, scripted):
    scripted.will(*[Reply(behaviour="drop")] * 3)
    with pytest.raises(ConnectionFailedError) as caught:
        connect(retry=RetryPolicy(attempts=3)).get("m1")
    assert caught.value.status is None
    assert caught.value.code == "CONNECTION_FAILED"
    assert len(scripted.received) == 3


def test_a_server_that_is_not_there_is_a_connection_failed_error(connect, fake_time):
    with pytest.raises(ConnectionFailedError, match="No answer"):
        connect(base_url="http://127.0.0.1:9", retry=RetryPolicy(attempts=2)).health()
    assert len(fake_time.sleeps) == 1


def test_a_silent_server_is_given_up_after_the_timeout_and_tried_again(connect, scripted):
    scripted.will(Reply(behaviour="hang"), Reply(200, {"status": "ok"}))
    assert connect(timeout=0.2).health().status == "ok"


def test_a_server_that_stays_silent_is_named_a_timeout(connect, scripted):
    scripted.will(Reply(behaviour="hang"))
    with pytest.raises(ConnectionFailedError, match=r"0\.1 seconds") as caught:
        connect(timeout=0.1, retry=RetryPolicy(attempts=1)).health()
    assert caught.value.code == "TIMEOUT"


def test_waits_double_up_to_the_maximum_and_are_scaled_by_chance(connect, scripted, fake_time):
    fake_time.dice = 0.5
    scripted.will(*[Reply(503)] * 5)
    with pytest.raises(ServerError):
        connect(retry=RetryPolicy(attempts=5, base_delay=1.0, maximum_delay=3.0)).health()
    assert fake_time.sleeps == [0.5, 1.0, 1.5, 1.5]


def test_retry_after_in_seconds_is_waited_for(connect, scripted, fake_time):
    scripted.will(Reply(429, headers={"Retry-After": "7"}), STORED)
    connect().remember("text")
    assert fake_time.sleeps == [7.0]


def test_clients_told_the_same_retry_after_do_not_return_at_once(connect, scripted, fake_time):
    fake_time.dice = 0.5
    scripted.will(Reply(429, headers={"Retry-After": "7"}), STORED)
    connect(retry=RetryPolicy(base_delay=1.0)).remember("text")
    assert fake_time.sleeps == [7.5]


def test_retry_after_as_a_date_is_waited_for(connect, scripted, fake_time):
    scripted.will(Reply(503, headers={"Retry-After": "Thu, 01 Jan 2026 00:00:12 GMT"}), STORED)
    connect().remember("text")
    assert fake_time.sleeps == [12.0]


def test_a_retry_after_date_in_the_past_means_now(connect, scripted, fake_time):
    scripted.will(Reply(503, headers={"Retry-After": "Wed, 31 Dec 2025 23:59:00 -0000"}), STORED)
    connect().remember("text")
    assert fake_time.sleeps == [0.0]


def test_a_retry_after_that_is_neither_is_ignored(connect, scripted, fake_time):
    fake_time.dice = 1.0
    scripted.will(Reply(503, headers={"Retry-After": "soon"}), STORED)
    connect(retry=RetryPolicy(base_delay=0.5)).remember("text")
    assert fake_time.sleeps == [0.5]


def test_a_long_retry_after_is_capped(connect, scripted, fake_time):
    scripted.will(Reply(429, headers={"Retry-After": "86400"}), STORED)
    connect(retry=RetryPolicy(maximum_retry_after=20.0)).remember("text")
    assert fake_time.sleeps == [20.0]


def test_a_wait_that_outlasts_the_deadline_is_not_begun(connect, scripted, fake_time):
    scripted.will(Reply(429, headers={"Retry-After": "30"}))
    with pytest.raises(RateLimitError) as caught:
        connect(retry=RetryPolicy(deadline=25.0)).remember("text")
    assert caught.value.retry_after == 30.0
    assert fake_time.sleeps == []


def test_the_deadline_ends_a_call_before_its_attempts_do(connect, scripted, fake_time):
    scripted.will(*[Reply(503, headers={"Retry-After": "10"})] * 3)
    with pytest.raises(ServerError):
        connect(retry=RetryPolicy(attempts=10, deadline=25.0)).health()
    assert fake_time.sleeps == [10.0, 10.0]
    assert len(scripted.received) == 3


def test_the_last_failure_is_the_one_raised(connect, scripted):
    scripted.will(Reply(429), Reply(503, {"error": "Service Unavailable", "message": "busy", "code": "BUSY"}))
    with pytest.raises(ServerError, match="busy") as caught:
        connect(retry=RetryPolicy(attempts=2)).health()
    assert caught.value.code == "BUSY"


def test_one_attempt_turns_retries_off(connect, scripted):
    scripted.will(Reply(503))
    with pytest.raises(ServerError):
        connect(retry=RetryPolicy(attempts=1)).health()
    assert len(scripted.received) == 1


def test_a_not_found_after_a_retry_ends_the_call(connect, scripted):
    scripted.will(Reply(503), Reply(404))
    with pytest.raises(NotFoundError):
        connect().get("m1")


def test_a_redirect_is_not_followed_with_the_key(connect, scripted):
    scripted.will(Reply(307, headers={"Location": f"{scripted.url}/elsewhere"}))
    with pytest.raises(UnexpectedAnswerError) as caught:
        connect().health()
    assert caught.value.status == 307
    assert len(scripted.received) == 1


def test_an_answer_that_outlasts_the_deadline_is_broken_off(connect, scripted, fake_time):
    scripted.will(Reply(200, {"status": "ok"}, before=lambda: fake_time.pass_by(50.0)))
    with pytest.raises(ConnectionFailedError, match="longer than the call may"):
        connect(retry=RetryPolicy(deadline=40.0)).health()
    assert len(scripted.received) == 1


def test_an_answer_that_is_too_large_is_refused(connect, scripted, monkeypatch):
    for module in ("_async", "_sync"):
        monkeypatch.setattr(f"pronoia.client.{module}.transport.MAXIMUM_ANSWER_BYTES", 10)
    scripted.will(Reply(200, {"status": "much longer than ten"}))
    with pytest.raises(UnexpectedAnswerError, match="too large"):
        connect().health()


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"deadline": 0}, {"base_delay": -1}, {"maximum_delay": -1}, {"maximum_retry_after": -1}]
)
def test_a_policy_that_cannot_work_is_refused(wrong):
    with pytest.raises(ValueError, match="retry policy"):
        RetryPolicy(**wrong)
