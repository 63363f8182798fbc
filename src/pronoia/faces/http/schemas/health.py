from __future__ import annotations

# msgspec resolves these annotations when a decoder is built, so the types must be there at run time.
from datetime import datetime  # noqa: TC003

from msgspec import Struct, field


class RootAnswer(Struct, kw_only=True):
    name: str = "Pronoia"
    version: str
    description: str = "A memory server: remembers, recalls and predicts."
    database: str = "PostgreSQL"
    features: tuple[str, ...]
    status: str = "healthy"


class HealthAnswer(Struct, kw_only=True):
    status: str = "ok"
    timestamp: datetime
    version: str
    service: str = "pronoia"


class SimpleHealthAnswer(Struct, kw_only=True):
    status: str = "ok"
    timestamp: datetime


class LiveAnswer(Struct, kw_only=True):
    alive: bool = True
    live: bool = True
    status: str = "ok"
    timestamp: datetime


class ReadyAnswer(Struct, kw_only=True):
    ready: bool
    reason: str | None
    timestamp: datetime


class DatabaseCheck(Struct):
    status: str
    latency: float
    error: str | None


class CircuitBreakerCheck(Struct):
    """Of the database. Failures are those in a row, as far as they count."""

    state: str
    failures: int


class Checks(Struct, kw_only=True):
    database: DatabaseCheck
    circuit_breaker: CircuitBreakerCheck = field(name="circuitBreaker")
    overall: bool


class ReadinessAnswer(Struct, kw_only=True):
    status: str
    timestamp: datetime
    version: str
    checks: Checks


class HeuristicsAnswer(Struct, rename="camel"):
    """What an agent runtime may tune itself by. Milliseconds, turns and shares."""

    reflection_interval: int = 3
    confidence_threshold: float = 0.7
    max_context_memories: int = 10
    batch_flush_interval: int = 5000
