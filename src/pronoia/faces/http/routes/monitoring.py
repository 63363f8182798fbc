"""How the server fares: health in detail, alerts, and what was promised beside what happened."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from pronoia.domain.records import Permission
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.operators import admit_operator
from pronoia.faces.http.routes.health import MONITORING, VERSION
from pronoia.faces.http.schemas.monitoring import (
    AlertAnswer,
    AlertsAnswer,
    AlertsQuery,
    AvailabilityReport,
    ComponentAnswer,
    DayQuery,
    ErrorReport,
    HealthMetrics,
    HealthReportAnswer,
    HealthSla,
    LatencyReport,
    PeriodQuery,
    SlaAnswer,
    SlaReport,
    SlaTargets,
    SlaViolations,
    TablesAnswer,
)
from pronoia.services.monitoring.components import Status
from pronoia.services.rate_limits import Budget

if TYPE_CHECKING:
    from pronoia.domain.alerts import Alert
    from pronoia.faces.http.schemas.monitoring import Outcome, Period
    from pronoia.services.monitoring.agreement import Agreement
    from pronoia.services.monitoring.components import Component


async def detailed_health(call: Call[Nothing, Nothing]) -> Answer:
    monitoring = call.services.monitoring
    report = await monitoring.health()
    answer = HealthReportAnswer(
        status=report.status.value,
        timestamp=call.surroundings.now(),
        uptime_seconds=round(monitoring.uptime_seconds, 1),
        version=VERSION,
        components={name: _component(one) for name, one in report.components.items()},
        metrics=HealthMetrics(
            requests_per_second=report.now and report.now.requests_per_second,
            avg_response_time_ms=report.now and report.now.average_ms,
            error_rate=report.now and report.now.error_rate,
        ),
        sla=HealthSla(
            availability_percent=_percent(report.hour and report.hour.availability),
            p95_latency_ms=report.hour and report.hour.latency_ms(0.95),
            target_met=report.hour and report.hour.all_met,
        ),
    )
    unwell = report.status is Status.UNHEALTHY
    return Answer(answer, status=HTTPStatus.SERVICE_UNAVAILABLE if unwell else HTTPStatus.OK)


async def component(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(_component(await call.services.monitoring.component(call.path["component"])))


async def sla_report(call: Call[PeriodQuery, Nothing]) -> Answer:
    period: Period = call.query.period
    return Answer(_report(period, await call.services.monitoring.agreement(period)))


async def sla(call: Call[DayQuery, Nothing]) -> Answer:
    await admit_operator(call)
    period: Period = call.query.period
    return Answer(_flat(period, await call.services.monitoring.agreement(period)))


async def alerts(call: Call[AlertsQuery, Nothing]) -> Answer:
    await admit_operator(call)
    found = await call.services.monitoring.alerts(call.query.limit, call.query.severity)
    return Answer(AlertsAnswer(alerts=[_alert(one) for one in found], count=len(found)))


async def tables(call: Call[Nothing, Nothing]) -> Answer:
    found = await call.services.monitoring.tables()
    missing = sorted(name for name, is_there in found.items() if not is_there)
    return Answer(TablesAnswer(tables=found, missing_tables=missing, all_exist=not missing))


def _component(one: Component) -> ComponentAnswer:
    return ComponentAnswer(
        name=one.name,
        status=one.status.value,
        last_check=one.last_check,
        response_time_ms=one.response_time_ms,
        latency_ms=one.response_time_ms,
        error_count_24h=one.error_count_24h,
        message=one.message,
        details=dict(one.details),
    )


def _alert(alert: Alert) -> AlertAnswer:
    return AlertAnswer(
        name=alert.name,
        severity=alert.severity,
        message=alert.message,
        timestamp=alert.started_at,
        labels=dict(alert.labels),
        state=alert.state,
        resolved_at=alert.resolved_at,
        fingerprint=alert.fingerprint,
    )


def _report(period: Period, agreement: Agreement) -> SlaReport:
    targets, met, level = agreement.targets, agreement.met, agreement.kept.level
    uptime = _percent(agreement.uptime)
    per_second = agreement.requests_per_second
    return SlaReport(
        status=_outcome(agreement),
        period=period,
        availability=AvailabilityReport(
            target=round(100 * targets.availability, 3),
            actual=_percent(agreement.availability),
            met=met["availability"],
            downtime_minutes=agreement.downtime_minutes,
        ),
        latency=LatencyReport(
            p50_ms=agreement.latency_ms(0.5),
            p95_ms=agreement.latency_ms(0.95),
            p99_ms=agreement.latency_ms(0.99),
            target_p95_ms=1_000 * targets.p95_seconds,
            target_p99_ms=1_000 * targets.p99_seconds,
            met=None if met["p95"] is None else bool(met["p95"] and met["p99"]),
        ),
        error_rate=ErrorReport(
            target=round(100 * targets.error_rate, 3),
            actual=_percent(agreement.error_rate),
            met=met["error_rate"],
            total_errors=level.failed,
            total_requests=level.requests,
        ),
        overall_sla_met=agreement.all_met,
        uptime_percent=uptime,
        uptime_percentage=uptime,
        avg_response_time_ms=agreement.average_ms,
        p95_response_time_ms=agreement.latency_ms(0.95),
        p99_response_time_ms=agreement.latency_ms(0.99),
        requests_per_hour=None if per_second is None else round(3_600 * per_second, 1),
        requests_last_hour=level.requests if period == "1h" else None,
    )


def _flat(period: Period, agreement: Agreement) -> SlaAnswer:
    targets, met = agreement.targets, agreement.met
    return SlaAnswer(
        status=_outcome(agreement),
        period=period,
        availability=agreement.availability,
        error_rate=agreement.error_rate,
        avg_latency=agreement.average_ms,
        p95=agreement.latency_ms(0.95),
        p99=agreement.latency_ms(0.99),
        total_requests=agreement.kept.level.requests,
        cache_hit_rate=agreement.cache_hit_rate,
        targets=SlaTargets(
            availability=targets.availability,
            latency_p95=1_000 * targets.p95_seconds,
            latency_p99=1_000 * targets.p99_seconds,
            error_rate=targets.error_rate,
        ),
        violations=SlaViolations(
            availability=_not(met["availability"]),
            latency_p95=_not(met["p95"]),
            latency_p99=_not(met["p99"]),
            error_rate=_not(met["error_rate"]),
        ),
    )


def _outcome(agreement: Agreement) -> Outcome:
    if agreement.all_met is None:
        return "no_data"
    return "met" if agreement.all_met else "violated"


def _not(met: bool | None) -> bool | None:
    return None if met is None else not met


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)


_health = Operation(
    "GET",
    MONITORING + "/health",
    "Say how every part of the server fares.",
    detailed_health,
    HealthReportAnswer,
    Permission.ADMIN,
    Nothing,
    Nothing,
    of_user=False,
    budget=Budget.FREE,
)

OPERATIONS: tuple[AnyOperation, ...] = (
    _health,
    replace(
        _health,
        path=MONITORING + "/components/{component}",
        summary="Say how one part fares.",
        handle=component,
        answer=ComponentAnswer,
    ),
    Operation(
        "GET",
        MONITORING + "/sla",
        "Say what was promised and what happened in a period.",
        sla_report,
        SlaReport,
        Permission.ADMIN,
        PeriodQuery,
        Nothing,
        of_user=False,
        budget=Budget.FREE,
    ),
    Operation("GET", "/sla", "Say whether the promises were kept.", sla, SlaAnswer, None, DayQuery, Nothing),
    Operation("GET", "/alerts", "List the newest alerts and events.", alerts, AlertsAnswer, None, AlertsQuery, Nothing),
    replace(
        _health,
        path="/api/v1/admin/check-tables",
        summary="Say which tables the database has.",
        handle=tables,
        answer=TablesAnswer,
    ),
)
