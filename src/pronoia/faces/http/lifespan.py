"""The application of one worker process: opened when the server says so, closed when it stops."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, cast

import structlog
from litestar.types.asgi_types import (
    LifeSpanShutdownCompleteEvent,
    LifeSpanStartupCompleteEvent,
    LifeSpanStartupFailedEvent,
)

from pronoia.domain.errors import PronoiaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from litestar.types import ASGIApp, LifeSpanReceive, LifeSpanSend, Receive, Scope, Send

log = structlog.get_logger(__name__)

OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""700 by default. What a hundred requests hold while they wait is no garbage, and was looked through many times."""


class Lifespan:
    """Opens an ASGI application on startup and closes it on shutdown, as the ASGI lifespan protocol (2.0) says."""

    def __init__(self, open_application: Callable[[], AbstractAsyncContextManager[ASGIApp]]) -> None:
        self._open_application = open_application
        self._application: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the lifespan itself."""
        if scope["type"] == "lifespan":  # pyright: ignore[reportUnnecessaryComparison]  # litestar types requests only
            await self._live(cast("LifeSpanReceive", receive), cast("LifeSpanSend", send))
        elif self._application is not None:
            await self._application(scope, receive, send)

    async def _live(self, receive: LifeSpanReceive, send: LifeSpanSend) -> None:
        await receive()
        try:
            async with self._open_application() as self._application:
                _collect_rarely()
                await send(LifeSpanStartupCompleteEvent(type="lifespan.startup.complete"))
                await receive()
        except PronoiaError as error:
            log.error("server.not_started", reason=error.message)  # noqa: TRY400  # a sentence, not a traceback
            await send(LifeSpanStartupFailedEvent(type="lifespan.startup.failed", message=error.message))
        else:
            await send(LifeSpanShutdownCompleteEvent(type="lifespan.shutdown.complete"))


def _collect_rarely() -> None:
    """Keep garbage collection from holding the event loop: what a start made stays, and is not looked at again."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    gc.freeze()
