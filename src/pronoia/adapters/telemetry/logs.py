"""The log: one line an event, of named fields only, so that no text of a memory, key or token finds a way into it."""

from __future__ import annotations

import atexit
import json
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from pronoia.adapters.telemetry.lines import LineWriter

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import TracebackType
    from typing import BinaryIO

    from pronoia.ports.telemetry import Meter

    Event = MutableMapping[str, Any]

FIELDS = frozenset(
    {
        *("timestamp", "level", "message", "logger", "error", "stack", "reason"),
        *("request_id", "user_id", "method", "route", "status_code", "duration_ms"),
        *("query", "job", "kind", "count", "size", "limit", "attempt", "mode", "state", "name"),
        *("memories", "users", "pending", "waiting", "sums", "wait_seconds", "retry_after"),
        *("folder", "account", "migration", "host", "port", "workers"),
        *(
            "breaker",
            "tier",
            "seconds",
            "receiver",
            "loop",
            "before",
            "after",
            "loop_lag",
            "pool_wait",
            "concurrency",
            "memory",
        ),
    }
)
"""What a line may hold. A field that is not here is left out, whoever adds it."""
LONGEST_VALUE = 300
MOST_FRAMES = 20


def configure_logs(*, level: str, as_json: bool, meter: Meter, stream: BinaryIO | None = None) -> LineWriter:
    """Send the log of this process to standard error, that of the standard library and of uvicorn included."""
    writer = LineWriter(stream or sys.stderr.buffer, meter)
    threshold: int = getattr(logging, level.upper())

    def count(_logger: object, _method: str, event: Event) -> Event:
        meter.count("log_lines_total", level=event["level"])
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            count,
            _describe_exception,
            _keep_known_fields,
            _as_json if as_json else _as_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: structlog.BytesLogger(writer),  # pyright: ignore[reportArgumentType] - as far as used
    )
    logging.root.handlers = [_Forwarder()]
    logging.root.setLevel(max(threshold, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error"):
        _hand_on(name, threshold)
    # Its lines quote paths with what is asked for in them; ours name the route.
    logging.getLogger("uvicorn.access").disabled = True
    atexit.register(writer.close)
    return writer


def _hand_on(name: str, threshold: int) -> None:
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(threshold)


class _Forwarder(logging.Handler):
    """Takes what libraries log. Only its first line: the others quote objects, and with them what these hold."""

    def emit(self, record: logging.LogRecord) -> None:
        first = record.getMessage().partition("\n")[0]
        structlog.get_logger().log(record.levelno, first, logger=record.name, exc_info=record.exc_info)


def _describe_exception(_logger: object, _method: str, event: Event) -> Event:
    """Say what was raised and where. Not its message: it may quote what it was raised about."""
    given = event.pop("exc_info", None)
    raised = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given  # pyright: ignore[reportUnknownVariableType]
    if isinstance(raised, BaseException):
        event["error"] = type(raised).__qualname__
        event["stack"] = _frames(raised.__traceback__)
    return event


def _frames(where: TracebackType | None) -> str:
    frames = traceback.extract_tb(where)[-MOST_FRAMES:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)


def _keep_known_fields(_logger: object, _method: str, event: Event) -> Event:
    known: Event = {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "message": event.pop("event")}
    known.update((name, value) for name, value in event.items() if name in FIELDS and value is not None)
    for name, value in known.items():
        if not isinstance(value, int | float):
            longest = LONGEST_VALUE if name != "stack" else LONGEST_VALUE * MOST_FRAMES
            text = str(value)
            known[name] = text if len(text) <= longest else f"{text[:longest]}..."
    return known


def _as_json(_logger: object, _method: str, event: Event) -> bytes:
    line = msgspec.json.encode(event)
    # Beyond ASCII there are characters at which some readers end a line, and terminals change colour.
    return line if line.isascii() else json.dumps(event, separators=(",", ":")).encode()


def _as_text(_logger: object, _method: str, event: Event) -> bytes:
    """Write a line for people. What could break it, or paint the terminal, is escaped."""
    head = f"{event.pop('timestamp')} {event.pop('level'):<8}{event.pop('message')!r}"
    return " ".join((head, *(f"{name}={value!r}" for name, value in event.items()))).encode(errors="backslashreplace")
