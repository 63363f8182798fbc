"""InsightStore and ScheduleStore on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.adapters.postgres.driver import fetch_one
from pronoia.adapters.postgres.queries import QUERIES
from pronoia.domain.identifiers import Scope
from pronoia.ports.insight_store import DailyOutcome, DailyValue, LearningRuns, OutcomeKind, PastUses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from pronoia.adapters.postgres.transactions import Database


class PostgresInsightStore:
    """Keeps daily sums, metrics and what the analysis did."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accesses(self, scope: Scope, since: datetime, limit: int) -> PastUses:
        """Read the uses of a period, out of the user's `limit` newest events."""
        async with self._database.reading(scope.organisation_id) as connection:
            row = await fetch_one(
                connection, QUERIES["read_recent_accesses"], scope.organisation_id, scope.user_id, since, limit
            )
        return PastUses(row["memory_ids"] or [], row["times"] or [])

    async def satisfaction(self, scope: Scope, since: datetime) -> list[DailyValue]:
        """Give the mean satisfaction by day."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(QUERIES["read_satisfaction"], scope.organisation_id, scope.user_id, since)
        return [DailyValue("user_satisfaction", row["day"], float(row["value"])) for row in rows]

    async def add_outcomes(self, outcomes: Sequence[tuple[Scope, DailyOutcome]]) -> None:
        """Add to the daily sums of any number of users in one statement."""
        async with self._database.writing(None) as connection:
            await connection.execute(
                QUERIES["record_outcomes"],
                [scope.organisation_id for scope, _ in outcomes],
                [scope.user_id for scope, _ in outcomes],
                [one.day for _, one in outcomes],
                [one.kind.value for _, one in outcomes],
                [one.bin for _, one in outcomes],
                [one.trials for _, one in outcomes],
                [one.hits for _, one in outcomes],
                [one.confidence for _, one in outcomes],
            )

    async def outcomes(self, scope: Scope, since: date) -> list[DailyOutcome]:
        """Give the daily sums."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(QUERIES["read_outcomes"], scope.organisation_id, scope.user_id, since)
        return [
            DailyOutcome(
                row["day"], OutcomeKind(row["kind"]), row["bin"], row["trials"], row["hits"], row["confidence"]
            )
            for row in rows
        ]

    async def keep_metric(self, scope: Scope, value: DailyValue) -> None:
        """Keep a metric of a day; measured again, it is replaced."""
        async with self._database.writing(scope.organisation_id) as connection:
            await connection.execute(
                QUERIES["record_metric"], scope.organisation_id, scope.user_id, value.metric, value.day, value.value
            )

    async def metrics(self, scope: Scope, since: date) -> list[DailyValue]:
        """Give the metrics that were kept."""
        async with self._database.reading(scope.organisation_id) as connection:
            rows = await connection.fetch(QUERIES["read_metrics"], scope.organisation_id, scope.user_id, since)
        return [DailyValue(row["metric"], row["day"], row["value"]) for row in rows]

    async def note_run(self, scope: Scope, job: str, at: datetime, relationships_created: int) -> None:
        """Note that a job was done for a user."""
        async with self._database.writing(scope.organisation_id) as connection:
            await connection.execute(
                QUERIES["record_run"], scope.organisation_id, scope.user_id, job, at, relationships_created
            )

    async def runs(self, scope: Scope) -> LearningRuns:
        """Tell what was done for a user so far."""
        async with self._database.reading(scope.organisation_id) as connection:
            row = await fetch_one(connection, QUERIES["read_runs"], scope.organisation_id, scope.user_id)
        return LearningRuns(row["last_run"], row["next_run"], row["total_analyses"], row["relationships_created"])


class PostgresScheduleStore:
    """Leases of jobs, a row an organisation and job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, job: str, holder: UUID, lease_seconds: float, at: datetime | None) -> UUID | None:
        """Take the job for one organisation whose turn it is, or None."""
        async with self._database.writing(None) as connection:
            return await connection.fetchval(QUERIES["claim_job"], job, holder, lease_seconds, at)

    async def finish(
        self, organisation_id: UUID, job: str, holder: UUID, pause_seconds: float, at: datetime | None
    ) -> None:
        """Let it be due again after a pause. Does nothing if the lease was lost."""
        async with self._database.writing(organisation_id) as connection:
            await connection.execute(QUERIES["finish_job"], organisation_id, job, holder, pause_seconds, at)

    async def active_users(self, organisation_id: UUID, job: str, limit: int) -> list[Scope]:
        """List users with uses since the job was last noted for them, those who waited longest first."""
        async with self._database.reading(organisation_id) as connection:
            rows = await connection.fetch(QUERIES["read_active_users"], organisation_id, job, limit)
        return [Scope(organisation_id, row["user_id"]) for row in rows]
