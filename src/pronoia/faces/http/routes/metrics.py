"""What the server counted and measured, for Prometheus and for people."""

from __future__ import annotations

from dataclasses import replace

from pronoia.domain.records import Permission
from pronoia.faces.http import admission
from pronoia.faces.http.networks import is_near
from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.metrics import MetricsAnswer
from pronoia.services.rate_limits import Budget

PROMETHEUS_TEXT = "text/plain; version=0.0.4"


async def metrics(call: Call[Nothing, Nothing]) -> Answer:
    """Show the series to private networks; elsewhere to admin keys, or to everybody if the operator says so."""
    if not call.surroundings.settings.metrics_public and not is_near(call.peer, call.headers):
        admission.check_permission(await call.authenticate(), Permission.ADMIN)
    return await admin_metrics(call)


async def admin_metrics(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(await call.surroundings.telemetry.exposition.text())


async def metrics_as_json(call: Call[Nothing, Nothing]) -> Answer:
    families = await call.surroundings.telemetry.exposition.families()
    return Answer(MetricsAnswer(timestamp=call.surroundings.now(), count=len(families), metrics=families))


SUMMARY = "Show every series, for Prometheus."
_metrics = Operation("GET", "/metrics", SUMMARY, metrics, str, None, Nothing, Nothing, media_type=PROMETHEUS_TEXT)

OPERATIONS: tuple[AnyOperation, ...] = (
    _metrics,
    replace(_metrics, path="/health/metrics"),
    replace(
        _metrics,
        path="/api/v1/monitoring/metrics",
        handle=admin_metrics,
        permission=Permission.ADMIN,
        of_user=False,
        budget=Budget.FREE,
    ),
    Operation(
        "GET",
        "/api/v1/monitoring/metrics/json",
        "Show every series as JSON.",
        metrics_as_json,
        MetricsAnswer,
        Permission.ADMIN,
        Nothing,
        Nothing,
        of_user=False,
        budget=Budget.FREE,
    ),
)
