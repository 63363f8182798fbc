"""MonitoringStore on PostgreSQL."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.alerts import Alert, Severity
from pronoia.ports.monitoring import Gauge, KeptLevel, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from pronoia.adapters.postgres.driver import Row
    from pronoia.adapters.postgres.transactions import Database

LEASE = "monitoring"
TABLE = re.compile(r"^create (?:unlogged )?table (\w+)", re.MULTILINE)


class PostgresMonitoringStore:
    """Keeps service levels, reports, the lease and alerts, in tables that belong to no tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_levels(self, levels: Mapping[datetime, Level]) -> None:
        """Add to the levels of minutes. If the outcome is unknown and it is done again, a minute counts twice."""
        rows = [{"minute": minute, **msgspec.to_builtins(level)} for minute, level in levels.items()]
        async with self._database.writing(None) as connection:
            await connection.execute(QUERIES["add_levels"], _json(rows))

    async def levels(self, since: Sequence[datetime]) -> list[KeptLevel]:
        """Add up the minutes that began after each of some times."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["read_levels"], list(since))
        return [_kept_level(row) for row in rows]

    async def report(self, process: UUID, gauges: Sequence[Gauge]) -> None:
        """Replace what a process reported before."""
        async with self._database.writing(None) as connection:
            await connection.execute(
                QUERIES["report_process"], process, _json([(one.family, one.labels, one.value) for one in gauges])
            )

    async def reports(self, seconds: float) -> list[list[Gauge]]:
        """Give the reports of the processes that reported within some seconds."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["read_reports"], seconds)
        reports = [msgspec.json.decode(row["gauges"], type=list[tuple[str, dict[str, str], float]]) for row in rows]
        return [[Gauge(*gauge) for gauge in report] for report in reports]

    async def lead(self, process: UUID, seconds: float) -> bool:
        """Say whether a process is the one that may act for all, for some seconds from now."""
        async with self._database.writing(None) as connection:
            return bool(await connection.fetchval(QUERIES["take_lease"], LEASE, process, seconds))

    async def save_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts, each as it is now."""
        async with self._database.writing(None) as connection:
            await connection.execute(QUERIES["save_alerts"], _json(alerts))

    async def alerts(self, limit: int, severity: Severity | None) -> list[Alert]:
        """Give the newest alerts, the newest first."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["read_alerts"], limit, severity)
        return [_alert(row) for row in rows]

    async def metric_rows(self, since: datetime) -> int:
        """Count the rows of metrics that learning wrote for the days since a time."""
        async with self._database.writing(None) as connection:
            return await connection.fetchval(QUERIES["count_metric_rows"], since.date())

    async def tables(self) -> dict[str, bool]:
        """Say of every table that the server needs whether it is there."""
        async with self._database.writing(None) as connection:
            rows = await connection.fetch(QUERIES["find_tables"], _needed_tables())
        return {row["name"]: row["found"] for row in rows}

    async def forget(self, levels_before: datetime, alerts_before: datetime, keep_alerts: int) -> None:
        """Drop what is older, all but the newest alerts, and reports of processes that ended."""
        async with self._database.writing(None) as connection:
            await connection.execute(QUERIES["forget_levels"], levels_before)
            await connection.execute(QUERIES["forget_reports"])
            await connection.execute(QUERIES["forget_alerts"], alerts_before, keep_alerts)


@cache
def _needed_tables() -> list[str]:
    schema = resources.files(__package__ or "").joinpath("schema.sql").read_text("utf-8")
    return TABLE.findall(schema)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _kept_level(row: Row) -> KeptLevel:
    level = Level(
        requests=row["requests"],
        failed=row["failed"],
        shed=row["shed"],
        seconds=row["seconds"],
        cache_asked=row["cache_asked"],
        cache_found=row["cache_found"],
        patterns=row["patterns"],
        latencies=row["latencies"] or [],
        foresight=row["foresight"] or [],
    )
    return KeptLevel(level, row["minutes"], row["dead_minutes"], row["first"])


def _alert(row: Row) -> Alert:
    return Alert(
        id=row["id"],
        name=row["name"],
        severity=Severity(row["severity"]),
        message=row["message"],
        labels=msgspec.json.decode(row["labels"], type=dict[str, str]),
        started_at=row["started_at"],
        resolved_at=row["resolved_at"],
        told=set(row["told"]),
    )
