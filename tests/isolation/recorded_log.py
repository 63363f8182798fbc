"""The log of this process, kept instead of written to standard error."""

from __future__ import annotations

import asyncio
import io
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from pronoia.adapters.telemetry.logs import configure_logs
from pronoia.testing.meter import RecordingMeter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

SECONDS = 20


class RecordedLog:
    def __init__(self) -> None:
        self.stream = io.BytesIO()

    async def text(self, http: httpx2.AsyncClient) -> str:
        """Give all that was logged so far, up to the line of a last request: a thread of its own writes it."""
        last = f"last-{uuid4()}"
        await http.get("/health", headers={"X-Request-ID": last})
        async with asyncio.timeout(SECONDS):
            while last.encode() not in self.stream.getvalue():  # noqa: ASYNC110 - no thread tells a loop
                await asyncio.sleep(0)
        return self.stream.getvalue().decode()


@contextmanager
def recorded_log(*, as_json: bool = True) -> Iterator[RecordedLog]:
    """Record lines of every level. Only what is opened inside logs here."""
    handlers, level = logging.root.handlers, logging.root.level
    log = RecordedLog()
    writer = configure_logs(level="debug", as_json=as_json, meter=RecordingMeter(), stream=log.stream)
    try:
        yield log
    finally:
        writer.close()
        structlog.reset_defaults()
        logging.root.handlers = handlers
        logging.root.setLevel(level)
