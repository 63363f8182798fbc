"""The composition root: opens everything, and closes it again."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from pronoia.adapters.telemetry.logs import configure_logs
from pronoia.composition.background import make_loops
from pronoia.composition.foundation import open_foundation
from pronoia.composition.outside import make_telemetry
from pronoia.composition.parts import make_parts
from pronoia.composition.use_cases import make_services
from pronoia.config import read_settings
from pronoia.domain.errors import UnavailableError
from pronoia.faces.http.application import create_http_app
from pronoia.faces.http.lifespan import Lifespan

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from litestar.types import ASGIApp

    from pronoia.composition.parts import Parts
    from pronoia.config import Settings
    from pronoia.ports.clock import Clock
    from pronoia.ports.telemetry import Telemetry
    from pronoia.recall.prior import Prior
    from pronoia.services.services import Services

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_services(
    settings: Settings, clock: Clock | None = None, prior: Prior | None = None, telemetry: Telemetry | None = None
) -> AsyncGenerator[Services]:
    """Open everything a migrated database needs, and close it in the reverse order; what is pending is written.

    `prior` is what ranking starts from before it has seen a user; None takes the shipped one.
    """
    async with open_foundation(settings, clock, prior, telemetry) as base, AsyncExitStack() as opened:
        parts = make_parts(base)
        services = make_services(base, parts)
        opened.push_async_callback(parts.caches.close)
        opened.push_async_callback(_write_pending, parts)
        opened.push_async_callback(parts.monitoring.close)
        opened.push_async_callback(parts.loops.stop)
        parts.loops.start(make_loops(base, parts, services))
        yield services


async def _write_pending(parts: Parts) -> None:
    """Write what waits to be written. A database that is away at the end must not keep the rest from being closed."""
    writes: tuple[Callable[[], Awaitable[None]], ...] = (
        parts.uses.flush,
        parts.key_uses.flush,
        parts.learning.save,
        parts.outcomes.flush,
        parts.ranking_weights.close,
        parts.audit.close,
        parts.changes.flush,
    )
    for write in writes:
        try:
            await write()
        except UnavailableError as error:
            log.warning("app.not_written", name=write.__qualname__, reason=error.message)


def create() -> ASGIApp:
    """Make the server's application from the environment; each worker process calls it once."""
    settings = read_settings()
    telemetry = make_telemetry(settings)
    configure_logs(level=settings.log_level, as_json=settings.log_format == "json", meter=telemetry.meter)

    @asynccontextmanager
    async def open_application() -> AsyncGenerator[ASGIApp]:
        async with open_services(settings, telemetry=telemetry) as services:
            levels = services.monitoring.levels
            yield create_http_app(services, settings, telemetry=telemetry, observers=[levels.observe])

    return Lifespan(open_application)
