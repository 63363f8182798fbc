from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pronoia.domain.records import Vector
    from pronoia.ports.embedder import Embedder
    from pronoia.ports.telemetry import Telemetry


class MeasuredEmbedder:
    """An embedder whose every call is counted, timed and traced."""

    def __init__(self, embedder: Embedder, telemetry: Telemetry) -> None:
        self._embedder = embedder
        self._meter = telemetry.meter
        self._tracing = telemetry.tracing

    @property
    def space(self) -> str:
        return self._embedder.space

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed texts in order. Raises EmbeddingUnavailableError."""
        space, meter = self.space, self._meter
        started, status = time.perf_counter(), "failed"
        with self._tracing.span("embed") as span:
            span.describe("embed", space=space, texts=len(texts))
            try:
                vectors = await self._embedder.embed(texts)
                status = "succeeded"
            finally:
                meter.count("embedding_calls_total", space=space, status=status)
                meter.observe("embedding_duration_seconds", time.perf_counter() - started, space=space)
        meter.count("embedding_texts_total", len(texts), space=space)
        return vectors

    async def close(self) -> None:
        await self._embedder.close()
