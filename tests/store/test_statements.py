from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from pronoia.adapters.postgres.queries import QUERIES
from pronoia.adapters.postgres.statements import StatementWatch, described
from pronoia.adapters.postgres.transactions import Database
from pronoia.adapters.telemetry.opening import open_telemetry
from pronoia.domain.errors import PronoiaError
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.testing.meter import RecordingMeter, series

TENANT = {"query_type": "enter_tenant", "operation": "select", "table": "none"}


@pytest.fixture
def meter():
    return RecordingMeter()


@pytest.fixture
def telemetry(meter):
    return replace(open_telemetry(), meter=meter)


@pytest.mark.anyio
async def test_statements_are_timed_by_name_and_connections_counted(database_url, telemetry, meter):
    database = await Database.open(database_url, connections=3, timeout_seconds=10, telemetry=telemetry)
    async with database.reading(DEFAULT_ORGANISATION):
        assert meter.gauges[series("db_connections_active")] == 1
    assert meter.gauges[series("db_connections_active")] == 0
    assert meter.gauges[series("db_connections_limit")] == 3
    assert len(meter.values[series("db_connection_wait_seconds")]) == 1
    (seconds,) = meter.values[series("db_query_duration_seconds", **TENANT)]
    assert 0 < seconds < 10
    begun = {"query_type": "begin", "operation": "transaction", "table": "none", "status": "succeeded"}
    assert meter.counts[series("db_queries_total", **begun)] == 2  # one more to learn how vectors cross the wire
    await database.close()


@pytest.mark.anyio
async def test_a_statement_that_fails_is_counted_by_the_kind_of_error(database_url, telemetry, meter):
    database = await Database.open(database_url, connections=2, timeout_seconds=10, telemetry=telemetry)
    with pytest.raises(PronoiaError):
        async with database.reading(DEFAULT_ORGANISATION) as connection:
            await connection.fetchval("select 1/0")
    assert meter.counts[series("db_query_errors_total", error_type="DivisionByZeroError")] == 1
    await database.close()


def test_a_slow_statement_is_logged_by_name_without_what_it_was_given(telemetry, meter):
    watch = StatementWatch(telemetry)
    slow = SimpleNamespace(query=QUERIES["find_key"], args=("secret",), elapsed=1.5, exception=None)
    with capture_logs() as logs:
        watch.finished(slow)
        watch.finished(SimpleNamespace(query=QUERIES["find_key"], args=("secret",), elapsed=0.9, exception=None))
    assert logs == [{"event": "query.slow", "log_level": "warning", "query": "find_key", "duration_ms": 1500.0}]
    assert meter.counts[series("db_slow_queries_total", query_type="find_key")] == 1


@pytest.mark.parametrize(
    ("query", "operation", "table"),
    [
        ("-- from comments\nselect a from memories m", "select", "memories"),
        ("with x as (delete from work) select 1", "delete", "work"),
        ("insert into users (a) values (1)", "insert", "users"),
        ("update users set a = 1", "update", "users"),
        ("select 1", "select", "none"),
    ],
)
def test_what_a_statement_does_to_what_is_read_off_its_text(query, operation, table):
    assert described("name", query) == ("name", operation, table)
