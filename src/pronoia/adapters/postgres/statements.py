"""What is told of statements: how often each named one runs, how long it takes, and how it fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from pronoia.adapters.postgres.queries import QUERIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pronoia.ports.telemetry import Telemetry

SLOW_SECONDS = 1.0
COMMENT = re.compile(r"--[^\n]*")
OPERATION = re.compile(r"\b(insert|update|delete|select|create|drop|alter)\b", re.IGNORECASE)
TABLE = re.compile(r"\b(?:from|into|update)\s+([a-z_]\w*)", re.IGNORECASE)
FRAMES = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"})

log = structlog.get_logger(__name__)


class Statement(NamedTuple):
    """How a statement is called in metrics. `table` is the first relation or function that it names."""

    query_type: str
    operation: str
    table: str


class Finished(Protocol):
    """What the driver tells of a statement that has ended."""

    @property
    def query(self) -> str: ...

    @property
    def elapsed(self) -> float:
        """Seconds."""
        ...

    @property
    def exception(self) -> BaseException | None: ...


class StatementWatch:
    """Hears of each statement. It looks at its name and never at its arguments, which are somebody's memory."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._meter = telemetry.meter
        self._tracing = telemetry.tracing

    def finished(self, told: Finished) -> None:
        """Take note of a statement."""
        statement = STATEMENTS.get(told.query) or _unnamed(told.query)
        name, operation, table = statement
        failure, seconds, meter = told.exception, told.elapsed, self._meter
        meter.observe("db_query_duration_seconds", seconds, query_type=name, operation=operation, table=table)
        status = "succeeded" if failure is None else "failed"
        meter.count("db_queries_total", query_type=name, operation=operation, table=table, status=status)
        if failure is not None:
            meter.count("db_query_errors_total", error_type=type(failure).__name__)
        if seconds > SLOW_SECONDS:
            meter.count("db_slow_queries_total", query_type=name)
            log.warning("query.slow", query=name, duration_ms=round(1000 * seconds, 1))
        self._tracing.ended(name, seconds, failed=failure is not None, **{"db.operation": operation, "db.table": table})


def described(name: str, query: str) -> Statement:
    """Read off the text of a named query what it does to what."""
    text = COMMENT.sub("", query)
    operation, table = OPERATION.search(text), TABLE.search(text)
    return Statement(name, operation[1].lower() if operation else "other", table[1].lower() if table else "none")


STATEMENTS: Mapping[str, Statement] = {query: described(name, query) for name, query in QUERIES.items()}
"""By the statement's text: the driver knows no names."""


def _unnamed(query: str) -> Statement:
    """Call what begins and ends transactions by its first word; the rest is made when the schema is, or once."""
    word = query.lstrip()[:10].partition(" ")[0].rstrip(";")
    return Statement(word.lower() if word in FRAMES else "other", "transaction" if word in FRAMES else "other", "none")
