"""What is measured, traced and shown of the running server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager


class Meter(Protocol):
    """Counts and measures; the families and their labels are listed in one place, and no label names a person."""

    def count(self, family: str, amount: float = 1.0, **labels: str) -> None: ...

    def observe(self, family: str, value: float, **labels: str) -> None: ...

    def set(self, family: str, value: float, **labels: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of a family; a histogram has several, told apart by the name's ending."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class MeasuredFamily:
    name: str
    type: str
    help: str
    samples: list[Measured]


class Exposition(Protocol):
    """Shows what was counted and measured, by all processes of this server."""

    async def text(self) -> bytes:
        """Give every series in Prometheus' text format, version 0.0.4."""
        ...

    async def families(self) -> list[MeasuredFamily]:
        """Give the same as records."""
        ...


class Span(Protocol):
    """A part of a trace that has not ended."""

    def describe(self, name: str, **attributes: str | float) -> None:
        """Name it, and say what is known of it by now; never a memory's text, a key or a token."""
        ...


class Tracing(Protocol):
    """Follows a request through the server, and over its edges."""

    def span(self, name: str, headers: Mapping[str, str] | None = None, /) -> AbstractContextManager[Span]:
        """Record what is done within; with a request's headers, as a part of the trace that its sender began."""
        ...

    def ended(self, name: str, seconds: float, *, failed: bool = False, **attributes: str | float) -> None:
        """Record what took so long and has just ended."""
        ...

    async def close(self) -> None:
        """Send what is left."""
        ...


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What makes the server's work visible."""

    meter: Meter
    exposition: Exposition
    tracing: Tracing
