from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from pronoia.domain.alerts import Severity  # noqa: TC001

Period = Literal["1h", "24h", "7d", "30d"]
Health = Literal["healthy", "degraded", "unhealthy", "unknown"]
Outcome = Literal["met", "violated", "no_data"]


class PeriodQuery(Struct, kw_only=True):
    period: Period = "1h"


class DayQuery(Struct, kw_only=True):
    period: Period = "24h"


class AlertsQuery(Struct, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    severity: Severity | None = None


class AlertAnswer(Struct, kw_only=True):
    name: str
    severity: Severity
    message: str
    timestamp: datetime
    """When it began."""
    labels: dict[str, str]
    state: Literal["firing", "resolved", "event"]
    resolved_at: datetime | None
    fingerprint: str


class AlertsAnswer(Struct, kw_only=True):
    alerts: list[AlertAnswer]
    count: int


class SlaTargets(Struct, kw_only=True, rename="camel"):
    availability: float
    latency_p95: float
    latency_p99: float
    error_rate: float


class SlaViolations(Struct, kw_only=True, rename="camel"):
    """None where no request says anything about it."""

    availability: bool | None
    latency_p95: bool | None
    latency_p99: bool | None
    error_rate: bool | None


class SlaAnswer(Struct, kw_only=True, rename="camel"):
    """Shares in [0, 1], times in milliseconds. None is no data."""

    status: Outcome
    period: Period
    availability: float | None
    error_rate: float | None
    avg_latency: float | None
    p95: float | None
    p99: float | None
    total_requests: int
    cache_hit_rate: float | None
    targets: SlaTargets
    violations: SlaViolations


class AvailabilityReport(Struct, kw_only=True):
    """Percent."""

    target: float
    actual: float | None
    met: bool | None
    downtime_minutes: int | None


class LatencyReport(Struct, kw_only=True):
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    target_p95_ms: float
    target_p99_ms: float
    met: bool | None


class ErrorReport(Struct, kw_only=True):
    """Percent."""

    target: float
    actual: float | None
    met: bool | None
    total_errors: int
    total_requests: int


class SlaReport(Struct, kw_only=True):
    """What was promised beside what happened, nested and, as other clients read it, flat. None is no data."""

    status: Outcome
    period: Period
    availability: AvailabilityReport
    latency: LatencyReport
    error_rate: ErrorReport
    overall_sla_met: bool | None
    uptime_percent: float | None
    uptime_percentage: float | None
    avg_response_time_ms: float | None
    p95_response_time_ms: float | None
    p99_response_time_ms: float | None
    requests_per_hour: float | None
    requests_last_hour: int | None
    """Only of the last hour."""


class ComponentAnswer(Struct, kw_only=True):
    name: str
    status: Health
    last_check: datetime
    response_time_ms: float
    latency_ms: float
    error_count_24h: int
    message: str | None
    details: dict[str, Any]


class HealthMetrics(Struct, kw_only=True):
    """Of the last five minutes. The error rate is a share in [0, 1]; None is no data."""

    requests_per_second: float | None
    avg_response_time_ms: float | None
    error_rate: float | None


class HealthSla(Struct, kw_only=True):
    """Of the last hour; None is no data."""

    availability_percent: float | None
    p95_latency_ms: float | None
    target_met: bool | None


class HealthReportAnswer(Struct, kw_only=True):
    status: Health
    timestamp: datetime
    uptime_seconds: float
    version: str
    components: dict[str, ComponentAnswer]
    metrics: HealthMetrics
    sla: HealthSla


class TablesAnswer(Struct, kw_only=True):
    tables: dict[str, bool]
    missing_tables: list[str]
    all_exist: bool
