from __future__ import annotations

import pickle

import pytest
from scripted_server import Reply

from pronoia.client import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    PronoiaError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    UnexpectedAnswerError,
    ValidationError,
)

ONCE = RetryPolicy(attempts=1)
STRING_BODY = {
    "error": "Bad Request",
    "message": "text is empty",
    "code": "VALIDATION_ERROR",
    "requestId": "req-1",
    "timestamp": "2026-01-01T10:00:00Z",
    "details": {"field": "text", "limit": 10000},
}
NESTED_BODY = {
    "error": {"code": "RATE_LIMIT_EXCEEDED", "message": "slow down", "requestId": "req-2", "details": {"limit": 100}}
}


def failure(connect, scripted, reply):
    scripted.will(reply)
    with pytest.raises(PronoiaError) as caught:
        connect(retry=ONCE).get("m1")
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ValidationError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, PronoiaError),
        (409, ConflictError),
        (413, ValidationError),
        (422, ValidationError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_each_status_has_its_error(connect, scripted, status, kind):
    error = failure(connect, scripted, Reply(status, STRING_BODY))
    assert type(error) is kind
    assert error.status == status


def test_an_error_as_text_keeps_every_fact(connect, scripted):
    error = failure(connect, scripted, Reply(400, STRING_BODY))
    assert error.message == "text is empty"
    assert error.code == "VALIDATION_ERROR"
    assert error.request_id == "req-1"
    assert error.details == {"field": "text", "limit": 10000}
    assert error.retry_after is None
    assert str(error) == "text is empty (status 400, code VALIDATION_ERROR, request req-1)"


def test_an_error_as_an_object_keeps_every_fact(connect, scripted):
    error = failure(connect, scripted, Reply(429, NESTED_BODY, {"Retry-After": "9"}))
    assert error.message == "slow down"
    assert error.code == "RATE_LIMIT_EXCEEDED"
    assert error.request_id == "req-2"
    assert error.details == {"limit": 100}
    assert error.retry_after == 9.0


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"\xff\xfe", b"[1]", b'{"error": 7}', b"null"])
def test_an_error_that_is_not_pronoias_is_named_by_its_status(connect, scripted, body):
    error = failure(connect, scripted, Reply(502, body, {"X-Request-ID": "req-3"}))
    assert type(error) is ServerError
    assert error.message == "Bad Gateway"
    assert error.code == ""
    assert error.details == {}
    assert error.request_id == "req-3"


def test_a_status_that_nobody_defined_is_named_by_its_number(connect, scripted):
    assert failure(connect, scripted, Reply(499, b"")).message == "HTTP status 499"


def test_an_error_with_a_reason_alone_says_the_reason(connect, scripted):
    assert failure(connect, scripted, Reply(404, {"error": "Not Found"})).message == "Not Found"


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{}", b'{"id": 1}', b"\xff"])
def test_a_success_without_the_promised_fields_is_an_unexpected_answer(connect, scripted, body):
    assert type(failure(connect, scripted, Reply(200, body))) is UnexpectedAnswerError


def test_a_damaged_body_is_an_unexpected_answer(connect, scripted):
    error = failure(connect, scripted, Reply(200, b"not gzip", {"Content-Encoding": "gzip"}))
    assert type(error) is UnexpectedAnswerError


def test_an_error_survives_the_way_between_processes(connect, scripted):
    error = pickle.loads(pickle.dumps(failure(connect, scripted, Reply(400, STRING_BODY))))  # noqa: S301 - our own
    assert (error.code, error.status, error.request_id) == ("VALIDATION_ERROR", 400, "req-1")
