"""Traces: spans at the HTTP, database and embedding seams. Without an address for them they cost nothing."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager

    from pronoia.ports.telemetry import Span, Tracing

EXPORT_SECONDS = 2.0
NANOSECONDS = 1e9


class _NoSpan:
    def describe(self, name: str, **attributes: str | float) -> None:
        """Forget it."""


class NoTracing:
    _nothing: AbstractContextManager[Span] = nullcontext(_NoSpan())

    def span(self, _name: str, _headers: Mapping[str, str] | None = None) -> AbstractContextManager[Span]:
        """Give what records nothing."""
        return self._nothing

    def ended(self, name: str, seconds: float, *, failed: bool = False, **attributes: str | float) -> None:
        """Forget it."""

    async def close(self) -> None:
        """Nothing is open."""


class _Span:
    def __init__(self, span: Any) -> None:  # noqa: ANN401 - OpenTelemetry is an extra, and may not be there
        self._span = span

    def describe(self, name: str, **attributes: str | float) -> None:
        """Name the span, and say what is known of it by now."""
        self._span.update_name(name)
        self._span.set_attributes(attributes)


class OpenTelemetryTracing:
    """Records spans with a provider of OpenTelemetry's SDK."""

    def __init__(self, provider: Any) -> None:  # noqa: ANN401 - the same
        from opentelemetry import trace  # noqa: PLC0415 - an extra
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._provider = provider
        self._tracer = provider.get_tracer("pronoia")
        self._propagator = TraceContextTextMapPropagator()
        self._kinds, self._failure = trace.SpanKind, trace.Status(trace.StatusCode.ERROR)

    @contextmanager
    def span(self, name: str, headers: Mapping[str, str] | None = None) -> Generator[Span]:
        """Record what is done within; with a request's headers, as a part of the trace that its sender began."""
        parent = None if headers is None else self._propagator.extract(headers)
        kind = self._kinds.INTERNAL if headers is None else self._kinds.SERVER
        # An exception's message may quote a memory: that it failed is all that leaves the process.
        with self._tracer.start_as_current_span(
            name, parent, kind, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield _Span(span)
            except BaseException:
                span.set_status(self._failure)
                raise

    def ended(self, name: str, seconds: float, *, failed: bool = False, **attributes: str | float) -> None:
        """Record what took so long and has just ended."""
        now = time.time_ns()
        span = self._tracer.start_span(
            name, kind=self._kinds.CLIENT, attributes=attributes, start_time=now - int(seconds * NANOSECONDS)
        )
        if failed:
            span.set_status(self._failure)
        span.end(now)

    async def close(self) -> None:
        """Send what is left, for little more than EXPORT_SECONDS."""
        await asyncio.to_thread(self._provider.shutdown)


def open_tracing(url: str, version: str) -> Tracing:
    """Send spans to an OTLP/HTTP endpoint, or nowhere. Raises ConfigurationError without the extra."""
    if not url:
        return NoTracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError("Traces need an extra: pip install 'pronoia[tracing]'.") from error
    provider = TracerProvider(resource=Resource.create({"service.name": "pronoia", "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=EXPORT_SECONDS)))
    return OpenTelemetryTracing(provider)
