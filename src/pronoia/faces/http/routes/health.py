from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

from pronoia.faces.http.operation import Answer, AnyOperation, Call, Nothing, Operation
from pronoia.faces.http.schemas.health import (
    Checks,
    CircuitBreakerCheck,
    DatabaseCheck,
    HealthAnswer,
    LiveAnswer,
    ReadinessAnswer,
    ReadyAnswer,
    RootAnswer,
    SimpleHealthAnswer,
)

FEATURES = (
    "Memory storage and recall",
    "Relationship detection and graph",
    "Usage-based learning and weighted search",
    "Predictive recall",
    "Metacognition: every score is explained",
)


def server_version() -> str:
    try:
        return version("pronoia")
    except PackageNotFoundError:
        return "0"


VERSION = server_version()


async def root(_: Call[Nothing, Nothing]) -> Answer:
    return Answer(RootAnswer(version=VERSION, features=FEATURES))


async def health(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(HealthAnswer(timestamp=call.surroundings.now(), version=VERSION))


async def simple_health(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(SimpleHealthAnswer(timestamp=call.surroundings.now()))


async def live(call: Call[Nothing, Nothing]) -> Answer:
    return Answer(LiveAnswer(timestamp=call.surroundings.now()))


async def ready(call: Call[Nothing, Nothing]) -> Answer:
    found = await call.services.health.check()
    answer = ReadyAnswer(ready=found.ready, reason=found.reason, timestamp=call.surroundings.now())
    return Answer(answer, status=_status(healthy=found.ready))


async def readiness(call: Call[Nothing, Nothing]) -> Answer:
    found = await call.services.health.check()
    check = DatabaseCheck("unhealthy" if found.error else "healthy", found.latency_ms, found.error)
    answer = ReadinessAnswer(
        status="ready" if found.ready else "not_ready",
        timestamp=call.surroundings.now(),
        version=VERSION,
        checks=Checks(
            database=check,
            circuit_breaker=CircuitBreakerCheck(found.breaker.name, found.breaker_failures),
            overall=found.ready,
        ),
    )
    return Answer(answer, status=_status(healthy=found.ready))


def _status(*, healthy: bool) -> int:
    return HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE


MONITORING = "/api/v1/monitoring"

_health = Operation("GET", "/health", "Say that the process answers.", health, HealthAnswer, None, Nothing, Nothing)
_live = Operation("GET", MONITORING + "/live", "Say that the process lives.", live, LiveAnswer, None, Nothing, Nothing)

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation("GET", "/", "Say what this is.", root, RootAnswer, None, Nothing, Nothing),
    _health,
    replace(_health, path="/api/v1/health"),
    Operation(
        "GET",
        "/health/ready",
        "Say whether requests can be served.",
        readiness,
        ReadinessAnswer,
        None,
        Nothing,
        Nothing,
    ),
    Operation(
        "GET",
        MONITORING + "/health/simple",
        "Say that the process answers.",
        simple_health,
        SimpleHealthAnswer,
        None,
        Nothing,
        Nothing,
    ),
    Operation(
        "GET", MONITORING + "/ready", "Say whether requests can be served.", ready, ReadyAnswer, None, Nothing, Nothing
    ),
    _live,
    replace(_live, path="/health/live"),
)
